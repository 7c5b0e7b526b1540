import { act, renderHook } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { forgetKeys } from "../src/hooks/sendKeys";
import { useHandling } from "../src/hooks/useHandling";
import { type Answer, refusal, serverOf } from "./server";

const CONTACT = { id: "7", cell: "+12025550107", assignmentId: "1" };
const accepted: Answer = () => ({
  data: {
    handleConversation: {
      __typename: "CampaignContact",
      id: "7",
      messageStatus: "messaged",
      optOut: null,
      messages: [],
      questionResponseValues: [],
    },
  },
});
const lost: Answer = () => null;

afterEach(() => forgetKeys("7"));

function sendOf(answers: Record<string, Answer>) {
  const { asked, wrapper } = serverOf(answers);
  const open = () => renderHook(() => useHandling(CONTACT), { wrapper }).result;
  const keys = () =>
    asked.filter(({ name }) => name === "HandleConversation").map((one) => one.variables.key);
  return { open, keys, asked };
}

it("sends once for a double click", async () => {
  const { open, asked } = sendOf({ HandleConversation: accepted });
  const page = open();
  const outcomes = await act(() =>
    Promise.all([page.current.handle({ text: "Hi" }), page.current.handle({ text: "Hi" })]),
  );
  expect(outcomes).toEqual([true, false]);
  const message = { text: "Hi", contactNumber: CONTACT.cell, assignmentId: "1" };
  const key = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(asked.map(({ variables }) => variables)).toEqual([
    expect.objectContaining({ contactId: "7", message, key, answers: [], close: false }),
  ]);
});

it("keeps a text's key over a lost answer, other texts and a reload", async () => {
  const answers = { HandleConversation: lost };
  const { open, keys } = sendOf(answers);
  const page = open();
  await act(() => page.current.handle({ text: "Hi" }));
  expect(page.current.failure).toMatchObject({ isLost: true, code: null });
  await act(() => page.current.handle({ text: "Hello" }));
  answers.HandleConversation = accepted;
  const reloaded = open();
  expect(await act(() => reloaded.current.handle({ text: "Hi" }))).toBe(true);
  expect(keys()[1]).not.toBe(keys()[0]);
  expect(keys()[2]).toBe(keys()[0]);
});

it("keeps it where the browser forbids storage", async () => {
  for (const forbidden of ["getItem", "setItem", "removeItem"] as const) {
    vi.spyOn(Storage.prototype, forbidden).mockImplementation(() => {
      throw new DOMException("forbidden", "SecurityError");
    });
  }
  const { open, keys } = sendOf({ HandleConversation: lost });
  const page = open();
  await act(() => page.current.handle({ text: "Hi" }));
  await act(() => page.current.handle({ text: "Hi" }));
  expect(keys()[1]).toBe(keys()[0]);
});

it("takes the same text for another one after it was accepted", async () => {
  const { open, keys } = sendOf({ HandleConversation: accepted });
  const page = open();
  await act(() => page.current.handle({ text: "Thanks!" }));
  await act(() => page.current.handle({ text: "Thanks!" }));
  expect(keys()[1]).not.toBe(keys()[0]);
});

it("says what was refused, and asks what the team has now", async () => {
  const insufficient = refusal("INSUFFICIENT_CREDITS", "Insufficient Credits");
  const extensions = { ...insufficient.extensions, teamId: "4", requiredCredits: 3 };
  const { open, asked } = sendOf({
    HandleConversation: () => ({
      data: { handleConversation: null },
      errors: [{ ...insufficient, extensions }],
    }),
    TeamStatus: lost,
  });
  const page = open();
  expect(await act(() => page.current.handle({ text: "Hi" }))).toBe(false);
  expect(page.current.failure).toMatchObject({
    code: "INSUFFICIENT_CREDITS",
    isLost: false,
    details: { requiredCredits: 3 },
  });
  expect(asked.at(-1)).toEqual({ name: "TeamStatus", variables: { teamId: "4" } });
  act(() => page.current.forgetFailure());
  expect(page.current.failure).toBeNull();
});

it("doesn't know what became of a text when the server doesn't", async () => {
  const { open } = sendOf({
    HandleConversation: () => ({
      data: { handleConversation: null },
      errors: [refusal("OUTCOME_UNKNOWN")],
    }),
  });
  const page = open();
  await act(() => page.current.handle({ text: "Hi" }));
  expect(page.current.failure).toMatchObject({ isLost: true, code: "OUTCOME_UNKNOWN" });
});

it("tells a farewell once, and nobody's where there is none", async () => {
  const answers = { HandleConversation: lost };
  const { open, keys } = sendOf(answers);
  const page = open();
  await act(() => page.current.handle({ optOut: { farewell: "Bye!" } }));
  answers.HandleConversation = accepted;
  await act(() => page.current.handle({ optOut: { farewell: "Bye!" } }));
  await act(() => page.current.handle({ optOut: { farewell: "" } }));
  expect(keys()[1]).toBe(keys()[0]);
  expect(keys()[2]).toBeNull();
});

it("saves answers that came too late for a text whose answer was lost", async () => {
  const { open, asked } = sendOf({ HandleConversation: accepted });
  const given = [{ interactionStepId: "2", value: "Yes" }];
  const page = open();
  await act(() => page.current.handle({ text: "Hi", answers: { given, takenBack: [] } }));
  const [first, second] = asked.map(({ variables }) => variables);
  expect(first).toMatchObject({ message: { text: "Hi" }, answers: [{ value: "Yes" }] });
  expect(second).toMatchObject({ message: null, key: null, answers: [{ value: "Yes" }] });
});
