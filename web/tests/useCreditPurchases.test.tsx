import { ApolloProvider } from "@apollo/client/react";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, it } from "vitest";
import { useCreditPurchases } from "../src/hooks/useCreditPurchases";
import { useRemovePurchase } from "../src/hooks/useRemovePurchase";
import { type Asked, clientOf, refused } from "./memoryLink";

const ALL = 150;

function purchase(id: number) {
  return {
    __typename: "CreditPurchase",
    id: String(id),
    amount: 10,
    remainingAfter: 10,
    note: null,
    purchasedByName: "Sam",
    createdAt: "2026-11-22T12:00:00Z",
    removedAt: null,
    removedByName: null,
  };
}

function page({ variables }: Asked) {
  const { offset, limit } = variables as { offset: number; limit: number };
  const ids = Array.from({ length: Math.min(limit, ALL - offset) }, (_, row) => ALL - offset - row);
  const team = {
    __typename: "Team",
    id: "1",
    name: "North Valley",
    creditsEnabled: true,
    creditStatus: "AVAILABLE",
    creditPurchases: ids.map(purchase),
  };
  return { data: { team } };
}

function wrapperOf(client: ReturnType<typeof clientOf>["client"]) {
  return ({ children }: { children: ReactNode }) => (
    <ApolloProvider client={client}>{children}</ApolloProvider>
  );
}

it("turns pages of a hundred, and begins anew without the removed ones", async () => {
  const { client, asked } = clientOf(page);
  const { result } = renderHook(() => useCreditPurchases("1", 1500), {
    wrapper: wrapperOf(client),
  });
  await waitFor(() => expect(result.current.purchases).toHaveLength(100));
  expect(result.current.showNewer).toBeUndefined();
  act(() => result.current.showOlder?.());
  await waitFor(() => expect(result.current.purchases).toHaveLength(50));
  expect(result.current.showOlder).toBeUndefined();
  act(() => result.current.setIncludeRemoved(false));
  await waitFor(() => expect(result.current.purchases).toHaveLength(100));
  expect(asked.at(-1)?.variables).toMatchObject({ includeRemoved: false, offset: 0 });
});

it("reads the list again when the team's purchased credits change", async () => {
  const { client, asked } = clientOf(page);
  const { rerender, result } = renderHook(
    ({ purchased }: { purchased?: number }) => useCreditPurchases("1", purchased),
    { wrapper: wrapperOf(client), initialProps: {} },
  );
  await waitFor(() => expect(result.current.purchases).toBeDefined());
  rerender({ purchased: 1500 });
  expect(asked).toHaveLength(1);
  rerender({ purchased: 2000 });
  await waitFor(() => expect(asked).toHaveLength(2));
});

it.each([
  ["PURCHASE_ALREADY_REMOVED", { step: "removed", wasBefore: true }],
  ["OUTCOME_UNKNOWN", { step: "ready", sentence: expect.stringContaining("answer was lost") }],
  ["FORBIDDEN", { step: "ready", sentence: "No." }],
])("says what a removal came to that was answered with %s", async (code, outcome) => {
  const { client } = clientOf(() => refused(code, "No."));
  const { result } = renderHook(() => useRemovePurchase(), { wrapper: wrapperOf(client) });
  await act(() => result.current.remove("7"));
  expect(result.current.removing).toEqual(outcome);
});
