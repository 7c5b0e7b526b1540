import { act, renderHook, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { codeOf } from "../src/hooks/errors";
import { useCreditsToggle } from "../src/hooks/useCreditsToggle";
import { type Answer, refusal, serverOf } from "./server";

/** A team that others add credits to, or use up, while the page is open. */
function teamOf({ enabled, credits }: { enabled: boolean; credits: number }) {
  const team = { enabled, credits };
  const fields = () => ({
    __typename: "Team",
    id: "3",
    name: "Student Climate Network",
    creditsEnabled: team.enabled,
    creditStatus: team.enabled ? (team.credits > 0 ? "AVAILABLE" : "EXHAUSTED") : "DISABLED",
    isRunningLow: false,
    runningLowMail: true,
    turningOnWouldBlock: !team.enabled && team.credits <= 0,
  });
  const answers: Record<string, Answer> = {
    TeamSettings: () => ({ data: { team: fields() } }),
    SetCreditsEnabled: (variables) => {
      team.enabled = variables.enabled === true;
      return { data: { setCreditsEnabled: fields() } };
    },
  };
  return { team, answers };
}

async function toggleOf(answers: Record<string, Answer>, canChange = true) {
  const { asked, wrapper } = serverOf(answers);
  const { result } = renderHook(() => useCreditsToggle("3", canChange), { wrapper });
  await waitFor(() => expect(result.current.settings).toBeTruthy());
  const changes = () => asked.filter(({ name }) => name === "SetCreditsEnabled");
  return { result, asked, changes };
}

it("asks before it stops the team, and turns on when that is confirmed", async () => {
  const { result, changes } = await toggleOf(teamOf({ enabled: false, credits: 0 }).answers);
  await act(() => result.current.change(true));
  expect(result.current).toMatchObject({ isAsking: true, isBusy: false });
  expect(changes()).toEqual([]);
  await act(() => result.current.confirm());
  expect(changes()).toHaveLength(1);
  expect(result.current.isAsking).toBe(false);
  expect(result.current.settings?.creditStatus).toBe("EXHAUSTED");
});

it("leaves credits off when it isn't confirmed", async () => {
  const { result, changes } = await toggleOf(teamOf({ enabled: false, credits: 0 }).answers);
  await act(() => result.current.change(true));
  act(() => result.current.cancel());
  expect(result.current.isAsking).toBe(false);
  expect(changes()).toEqual([]);
});

it("goes by what is so now, not by what was so when the page was opened", async () => {
  const { team, answers } = teamOf({ enabled: false, credits: 0 });
  const { result } = await toggleOf(answers);
  team.credits = 5;
  await act(() => result.current.change(true));
  expect(result.current.isAsking).toBe(false);
  expect(result.current.settings?.creditStatus).toBe("AVAILABLE");
});

it("turns off without asking", async () => {
  const { result, changes } = await toggleOf(teamOf({ enabled: true, credits: 0 }).answers);
  await act(() => result.current.change(false));
  expect(changes()).toEqual([
    { name: "SetCreditsEnabled", variables: { teamId: "3", enabled: false } },
  ]);
  expect(result.current.settings?.creditsEnabled).toBe(false);
});

it("turns nothing on while it can't know what that would do", async () => {
  const { answers } = teamOf({ enabled: false, credits: 5 });
  const { result, changes } = await toggleOf(answers);
  answers.TeamSettings = () => null;
  await act(() => result.current.change(true));
  expect(changes()).toEqual([]);
  expect(result.current.isBusy).toBe(false);
  expect(result.current.error).toBeTruthy();
});

it("shows what is so after a refusal, and why", async () => {
  const { answers } = teamOf({ enabled: true, credits: 5 });
  const { result } = await toggleOf(answers);
  answers.SetCreditsEnabled = () => ({ data: null, errors: [refusal("FORBIDDEN")] });
  await act(() => result.current.change(false));
  expect(codeOf(result.current.error)).toBe("FORBIDDEN");
  expect(result.current.settings?.creditsEnabled).toBe(true);
});

it("finds out what became of a change whose answer was lost", async () => {
  const { team, answers } = teamOf({ enabled: true, credits: 5 });
  const { result } = await toggleOf(answers);
  answers.SetCreditsEnabled = () => {
    team.enabled = false;
    return null;
  };
  await act(() => result.current.change(false));
  expect(result.current.settings?.creditsEnabled).toBe(false);
  expect(result.current.error).toBeTruthy();
});

it("asks and changes nothing that only owners may", async () => {
  const { result, asked, changes } = await toggleOf(
    teamOf({ enabled: true, credits: 5 }).answers,
    false,
  );
  await act(() => result.current.change(false));
  expect(changes()).toEqual([]);
  expect(asked[0]?.variables).toMatchObject({ asOwner: false });
});
