import { describe, expect, it } from "vitest";
import { choiceIn, problemOf, quickPicks, shortened } from "../src/hooks/period";

const TODAY = "2026-03-01";
const USUAL = { from: "2026-02-16", to: "2026-03-01", by: "DAY" };

describe("quickPicks", () => {
  it("counts today, and knows how long February is", () => {
    expect(quickPicks(TODAY).map(({ from, to }) => [from, to])).toEqual([
      ["2026-02-16", TODAY],
      ["2026-01-31", TODAY],
      ["2026-03-01", TODAY],
      ["2026-01-01", TODAY],
    ]);
  });
});

describe("problemOf", () => {
  it.each([
    ["2026-03-01", "2026-03-01", "DAY"],
    ["2024-01-01", "2024-12-31", "DAY"],
    ["2024-01-01", "2024-12-31", "CAMPAIGN"],
    ["2016-03-02", "2026-03-02", "MONTH"],
  ] as const)("lets %s to %s by %s be asked for", (from, to, by) => {
    expect(problemOf({ from, to, by })).toBeNull();
  });

  it.each([
    ["2026-03-02", "2026-03-01", "DAY", "The first day is after the last one."],
    ["2024-01-01", "2025-01-01", "DAY", "366 days"],
    ["2024-01-01", "2025-01-01", "CAMPAIGN", "366 days"],
    ["2016-03-02", "2026-03-03", "MONTH", "ten years"],
    ["", "2026-03-01", "DAY", "Choose both days."],
    ["2026-02-30", "2026-03-01", "DAY", "Choose both days."],
    ["soon", "later", "DAY", "Choose both days."],
  ] as const)("says what is wrong with %s to %s by %s", (from, to, by, sentence) => {
    expect(problemOf({ from, to, by })).toContain(sentence);
  });
});

describe("choiceIn", () => {
  it("is the last 14 days where the address says nothing", () => {
    expect(choiceIn(new URLSearchParams(), TODAY)).toEqual(USUAL);
  });

  it("is what the address says", () => {
    const address = new URLSearchParams("from=2020-01-01&to=2025-12-31&by=MONTH");
    expect(choiceIn(address, TODAY)).toEqual({ from: "2020-01-01", to: "2025-12-31", by: "MONTH" });
  });

  it.each(["from=2020-01-01", "from=x&to=y", "to=1999-01-01&by=CAMPAIGN"])(
    "is the usual one instead of %s",
    (address) => expect(choiceIn(new URLSearchParams(address), TODAY)).toEqual(USUAL),
  );
});

describe("shortened", () => {
  it("keeps as many of the last days as can be asked for", () => {
    const choice = shortened({ from: "2016-01-01", to: "2024-12-31", by: "DAY" });
    expect(choice).toEqual({ from: "2024-01-01", to: "2024-12-31", by: "DAY" });
    expect(problemOf(choice)).toBeNull();
  });

  it("leaves alone what is short enough", () => {
    const choice = { from: "2016-01-01", to: "2024-12-31", by: "MONTH" } as const;
    expect(shortened(choice)).toBe(choice);
  });
});
