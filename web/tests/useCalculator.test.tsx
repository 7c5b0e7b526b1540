import { ApolloProvider } from "@apollo/client/react";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, it } from "vitest";
import { useCalculator } from "../src/hooks/useCalculator";
import { type Asked, clientOf } from "./memoryLink";

function counted(changes: object) {
  return {
    __typename: "CreditEstimate",
    text: "Hi",
    recipients: 1,
    encoding: "GSM_7",
    charactersUsed: 2,
    charactersLeftInSegment: 158,
    segmentsPerText: 1,
    creditsPerText: 1,
    credits: 1,
    charactersForcingUcs2: [],
    campaignEstimate: null,
    ...changes,
  };
}

function ofText({ variables }: Asked) {
  const recipients = Number(variables.recipients);
  const credits = (replies: number) => ({ credits: recipients + Math.ceil(recipients * replies) });
  return {
    data: {
      low: counted(credits(0)),
      expected: counted(credits(Number(variables.replies))),
      high: counted(credits(Number(variables.manyReplies))),
    },
  };
}

function calculator(reply: Parameters<typeof clientOf>[0]) {
  const { client, asked } = clientOf(reply);
  const wrapper = ({ children }: { children: ReactNode }) => (
    <ApolloProvider client={client}>{children}</ApolloProvider>
  );
  const { result } = renderHook(() => useCalculator(), { wrapper });
  const change = (changes: Parameters<typeof result.current.change>[0]) =>
    act(() => result.current.change(changes));
  return { result, asked, change };
}

it("asks once typing pauses, and needs no contacts to tell the segments", async () => {
  const { result, asked, change } = calculator(ofText);
  for (const text of ["H", "Hi", "Hi!"]) change({ text });
  await waitFor(() => expect(result.current.answer?.counted.segmentsPerText).toBe(1));
  expect(asked.map(({ variables }) => variables.text)).toEqual(["Hi!"]);
  expect(result.current.answer?.needs).toBeNull();
});

it("tells low, expected and high", async () => {
  const { result, change } = calculator(ofText);
  change({ text: "Hi", recipients: "1,000", repliesPerRecipient: "0,25" });
  await waitFor(() =>
    expect(result.current.answer?.needs).toEqual({ low: 1000, expected: 1250, high: 1500 }),
  );
});

it("doesn't ask for what can't be", async () => {
  const { result, asked, change } = calculator(ofText);
  change({ text: "Hi", recipients: "10,000,001", repliesPerRecipient: "101" });
  expect(result.current.problems).toEqual({
    recipients: "Enter a whole number from 1 to 10,000,000.",
    replies: "Enter a number from 0 to 100.",
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(asked).toEqual([]);
});

it("asks again until a campaign is counted, and allows for its margin", async () => {
  const estimate = {
    __typename: "CampaignCreditEstimate",
    contacts: 60_000,
    creditsNeeded: 90_000,
    creditsNeededMargin: 500,
    isSampled: true,
    computedAt: "2026-11-22T12:00:00Z",
    ageSeconds: 5,
    isComputing: false,
  };
  const known = counted({ credits: 90_000, recipients: 60_000, campaignEstimate: estimate });
  let times = 0;
  const { result, change } = calculator(() => {
    const one = ++times === 1 ? null : known;
    return { data: { low: one, expected: one, high: one } };
  });
  change({ source: "campaign", campaign: { id: "3", title: "Saturday" } });
  await waitFor(() => expect(result.current.isCounting).toBe(true));
  await waitFor(() => expect(result.current.answer).not.toBeNull(), { timeout: 2500 });
  expect(result.current.isCounting).toBe(false);
  expect(result.current.answer?.needs).toEqual({ low: 89_500, expected: 90_000, high: 90_500 });
});
