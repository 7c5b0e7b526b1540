import { act, renderHook } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Assignment } from "../src/hooks/useAssignment";
import type { Contact } from "../src/hooks/useConversation";
import { useSurvey } from "../src/hooks/useSurvey";

/** Coming? Yes leads to: Bring cake? No leads to a farewell. */
const STEPS = [
  step("1", null, "Coming?", { Yes: "2", No: "3" }),
  step("2", "1", "Bring cake?", { Gladly: null }),
  step("3", "1", null, {}),
];

function step(id: string, parent: string | null, text: string | null, answers: object) {
  const answerOptions = Object.entries(answers).map(([value, next]) => ({
    value,
    nextInteractionStep: next && { id: next },
  }));
  return { id, parentInteractionId: parent, scriptOptions: [], question: { text, answerOptions } };
}

function surveyOf(saved: Record<string, string>) {
  const questionResponseValues = Object.entries(saved).map(([id, value]) => ({
    interactionStepId: Number(id),
    value,
  }));
  const assignment = { campaign: { interactionSteps: STEPS } } as unknown as Assignment;
  const contact = { questionResponseValues } as unknown as Contact;
  return renderHook(() => useSurvey(assignment, contact)).result;
}

it("asks what the answers lead to, and says which text comes next", () => {
  const survey = surveyOf({});
  expect(survey.current.questions.map(({ text }) => text)).toEqual(["Coming?"]);
  expect(survey.current).toMatchObject({ changes: null, next: null });
  act(() => survey.current.choose("1", "Yes"));
  expect(survey.current.questions.map(({ text }) => text)).toEqual(["Coming?", "Bring cake?"]);
  expect(survey.current.changes).toEqual({
    given: [{ interactionStepId: "1", value: "Yes" }],
    takenBack: [],
  });
  act(() => survey.current.choose("1", "No"));
  expect(survey.current.next?.id).toBe("3");
});

it("takes back what the answers lead to no longer", () => {
  const survey = surveyOf({ 1: "Yes", 2: "Gladly" });
  expect(survey.current.changes).toBeNull();
  act(() => survey.current.choose("1", "No"));
  expect(survey.current.changes).toEqual({
    given: [{ interactionStepId: "1", value: "No" }],
    takenBack: ["2"],
  });
  act(() => survey.current.choose("1", null));
  expect(survey.current.changes).toEqual({ given: [], takenBack: ["1", "2"] });
});
