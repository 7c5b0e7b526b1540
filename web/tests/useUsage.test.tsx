import { renderHook, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { codeOf } from "../src/hooks/errors";
import { totalOf, usageFile, useUsage } from "../src/hooks/useUsage";
import { type Answer, refusal, serverOf } from "./server";

const CHOICE = { from: "2026-11-01", to: "2026-11-02", by: "DAY" } as const;
const TEAM = {
  __typename: "Team",
  id: "1",
  name: "North Valley Field",
  creditsEnabled: true,
  creditStatus: "AVAILABLE",
};
const FIGURES = { texts: 2, segments: 3, mediaTexts: 1, failed: 0 };

function visible(): ReturnType<Answer> {
  const credits = { remainingCredits: 5, purchasedCredits: 8, usedCredits: 3 };
  return { data: { team: { ...TEAM, ...credits } } };
}

function hidden(): ReturnType<Answer> {
  const credits = { remainingCredits: null, purchasedCredits: null, usedCredits: null };
  return { data: { team: { ...TEAM, ...credits } }, errors: [refusal("FORBIDDEN")] };
}

function usage({ withCredits }: Record<string, unknown>): ReturnType<Answer> {
  const row = { __typename: "Usage", ...FIGURES, month: null, campaign: null };
  const credits = withCredits ? { creditsUsed: 3 } : {};
  const rows = ["2026-11-01", "2026-11-02"].map((day) => ({ ...row, ...credits, day }));
  return { data: { team: { ...TEAM, usage: rows } } };
}

async function usageOf(answers: Record<string, Answer>) {
  const { asked, wrapper } = serverOf(answers);
  const { result } = renderHook(() => useUsage("1", CHOICE), { wrapper });
  await waitFor(() => expect(result.current.isLoading).toBe(false));
  return { asked, result };
}

describe("useUsage", () => {
  it("asks for credits where they are visible", async () => {
    const { result } = await usageOf({ VisibleCredits: visible, TeamUsage: usage });
    expect(result.current.rows?.map(({ creditsUsed }) => creditsUsed)).toEqual([3, 3]);
  });

  it("does without them where they aren't, and that is no error", async () => {
    const { asked, result } = await usageOf({ VisibleCredits: hidden, TeamUsage: usage });
    expect(asked.at(-1)?.variables).toMatchObject({ ...CHOICE, withCredits: false });
    expect(result.current.rows).toHaveLength(2);
    expect(result.current.error).toBeUndefined();
  });

  it("says who may not see the team at all", async () => {
    const { asked, result } = await usageOf({
      VisibleCredits: () => ({ data: { team: null }, errors: [refusal("NOT_FOUND")] }),
    });
    expect(codeOf(result.current.error)).toBe("NOT_FOUND");
    expect(asked.map(({ name }) => name)).toEqual(["VisibleCredits"]);
  });

  it("says that the server can't be reached", async () => {
    const { result } = await usageOf({ VisibleCredits: () => null });
    expect(result.current.error).toBeTruthy();
    expect(result.current.rows).toBeUndefined();
  });
});

describe("totalOf", () => {
  it("adds up, beyond 32 bits", () => {
    const row = { ...FIGURES, segments: 3_000_000_000, creditsUsed: 4 };
    expect(totalOf([row, row])).toEqual({
      texts: 4,
      segments: 6_000_000_000,
      mediaTexts: 2,
      failed: 0,
      creditsUsed: 8,
    });
  });

  it("has no credits where no row has any", () => {
    expect(totalOf([FIGURES, { ...FIGURES, creditsUsed: null }])).not.toHaveProperty("creditsUsed");
    expect(totalOf([])).toEqual({ texts: 0, segments: 0, mediaTexts: 0, failed: 0 });
  });
});

it("finds the file of the same usage", () => {
  expect(usageFile("1", CHOICE)).toBe(
    "/export/usage.csv?teamId=1&from=2026-11-01&to=2026-11-02&by=DAY",
  );
});
