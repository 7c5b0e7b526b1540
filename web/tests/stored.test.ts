import { expect, it, vi } from "vitest";

/** As after a reload: nothing of the page before is left but what the browser stored. */
async function loaded() {
  vi.resetModules();
  return import("../src/hooks/stored");
}

it("outlives a reload, until it is forgotten", async () => {
  (await loaded()).store("draft:1", "Hi");
  const { readStored, store } = await loaded();
  expect(readStored("draft:1")).toBe("Hi");
  store("draft:1", null);
  expect(readStored("draft:1")).toBeNull();
  expect((await loaded()).readStored("draft:1")).toBeNull();
});

it("keeps an emptied box apart from one that nobody has written in", async () => {
  (await loaded()).store("draft:1", "");
  expect((await loaded()).readStored("draft:1")).toBe("");
});
