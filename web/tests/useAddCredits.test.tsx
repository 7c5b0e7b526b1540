import { ApolloProvider } from "@apollo/client/react";
import { act, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, it } from "vitest";
import { forgetAddition } from "../src/hooks/lostAdditions";
import { useAddCredits } from "../src/hooks/useAddCredits";
import { type Asked, clientOf, refused } from "./memoryLink";

const TEAM = {
  __typename: "Team",
  id: "1",
  name: "North Valley",
  creditsEnabled: true,
  creditStatus: "AVAILABLE",
  remainingCredits: 500,
  purchasedCredits: 500,
  usedCredits: 0,
};
const ADDED = {
  data: { addCredits: { __typename: "CreditPurchase", id: "7", amount: 500, team: TEAM } },
};
const FIVE_HUNDRED = { amount: 500, note: "Spring" };

function adding(reply: Parameters<typeof clientOf>[0]) {
  const { client, asked } = clientOf(reply);
  const wrapper = ({ children }: { children: ReactNode }) => (
    <ApolloProvider client={client}>{children}</ApolloProvider>
  );
  const { result } = renderHook(() => useAddCredits("1"), { wrapper });
  return { result, asked, add: (one = FIVE_HUNDRED) => act(() => result.current.add(one)) };
}

function keys(asked: Asked[]): unknown[] {
  return asked.map(({ variables }) => variables.idempotencyKey);
}

afterEach(() => forgetAddition("1"));

it("sends a double click once", async () => {
  const { result, asked } = adding(() => ADDED);
  await act(async () => {
    await Promise.all([result.current.add(FIVE_HUNDRED), result.current.add(FIVE_HUNDRED)]);
  });
  expect(asked).toHaveLength(1);
  expect(result.current.adding).toMatchObject({ step: "added", purchase: { id: "7" } });
});

it.each([
  ["the network broke", () => Promise.reject(new TypeError("Failed to fetch"))],
  ["the server can't say", () => refused("OUTCOME_UNKNOWN", "The answer was lost")],
  ["the server broke", () => refused("INTERNAL_SERVER_ERROR", "Internal server error")],
])("keeps the key where %s, and takes another after the success", async (_, failure) => {
  let attempts = 0;
  const { result, asked, add } = adding(() => (++attempts === 1 ? failure() : ADDED));
  await add();
  expect(result.current.adding).toEqual({ step: "lost", addition: FIVE_HUNDRED });
  await add();
  expect(result.current.adding.step).toBe("added");
  await add();
  const [first, again, next] = keys(asked);
  expect(again).toBe(first);
  expect(next).not.toBe(first);
});

it("takes another key for another amount or note", async () => {
  const { asked, add } = adding(() => refused("OUTCOME_UNKNOWN", "The answer was lost"));
  await add();
  await add();
  await add({ ...FIVE_HUNDRED, amount: 400 });
  await add({ amount: 400, note: "Summer" });
  const [first, again, ...others] = keys(asked);
  expect(again).toBe(first);
  expect(new Set([first, ...others]).size).toBe(3);
});

it("says why it was refused", async () => {
  const { result, add } = adding(() => refused("BAD_USER_INPUT", "Too many."));
  await add();
  expect(result.current.adding).toMatchObject({
    step: "ready",
    refusal: { sentence: "Too many." },
  });
});

it("knows of a lost answer when it is opened again, until somebody begins anew", async () => {
  const before = adding(() => refused("OUTCOME_UNKNOWN", "The answer was lost"));
  await before.add();
  const { result, asked, add } = adding(() => ADDED);
  expect(result.current.adding).toMatchObject({ step: "lost", addition: FIVE_HUNDRED });
  await add();
  expect(keys(asked)).toEqual(keys(before.asked));

  await before.add();
  const again = adding(() => ADDED);
  act(() => again.result.current.beginAnew());
  expect(again.result.current.adding).toEqual({ step: "ready", refusal: null });
  await again.add();
  expect(keys(again.asked)[0]).not.toBe(keys(before.asked)[1]);
});
