import { useState } from "react";
import { type Step, stepsOf } from "./script";
import type { Assignment } from "./useAssignment";
import type { Contact } from "./useConversation";

/** A question of the script, in its place in the conversation. */
export interface SurveyQuestion {
  stepId: string;
  text: string;
  options: string[];
  answer: string | null;
}

/** What the server doesn't know yet. */
export interface AnswerChanges {
  given: { interactionStepId: string; value: string }[];
  /** Ids of steps. */
  takenBack: string[];
}

type Answers = ReadonlyMap<string, string | null>;

/**
 * What a contact answered to the script's questions. Each answer leads to the next question; those
 * that it doesn't lead to any longer are taken back. Null answers are taken back, too.
 */
export function useSurvey(
  { campaign }: Pick<Assignment, "campaign">,
  contact: Contact,
): {
  questions: SurveyQuestion[];
  choose: (stepId: string, value: string | null) => void;
  /** Null: nothing has changed. */
  changes: AnswerChanges | null;
  /** Where the answers that were chosen now lead: what is to be said next. */
  next: Step | null;
} {
  const [chosen, setChosen] = useState<Answers>(new Map());
  const saved: Answers = new Map(
    contact.questionResponseValues.map(({ interactionStepId, value }) => [
      String(interactionStepId),
      value,
    ]),
  );
  const answers: Answers = new Map([...saved, ...chosen]);
  const { asked, next } = follow(stepsOf(campaign), answers);
  const changes = changesOf(asked, saved, answers);
  return {
    questions: asked.map((step) => questionOf(step, answers)),
    choose: (stepId, value) => setChosen(new Map([...chosen, [stepId, value]])),
    changes,
    next: changes && next,
  };
}

/** From the first step on, as far as the answers lead. */
function follow(steps: Step[], answers: Answers): { asked: Step[]; next: Step | null } {
  const asked: Step[] = [];
  let step = steps.find(({ parentInteractionId }) => parentInteractionId === null);
  while (step && !asked.includes(step) && optionsOf(step).length > 0) {
    asked.push(step);
    const answer = answers.get(step.id);
    const option = optionsOf(step).find(({ value }) => value === answer);
    step = steps.find(({ id }) => id === option?.nextInteractionStep?.id);
  }
  return { asked, next: asked.length > 0 && step ? step : null };
}

function optionsOf({ question }: Step) {
  return (question?.answerOptions ?? []).flatMap((option) => option ?? []);
}

function questionOf(step: Step, answers: Answers): SurveyQuestion {
  return {
    stepId: step.id,
    text: step.question?.text ?? "",
    options: optionsOf(step).flatMap(({ value }) => value ?? []),
    answer: answers.get(step.id) ?? null,
  };
}

function changesOf(asked: Step[], saved: Answers, answers: Answers): AnswerChanges | null {
  const given = asked.flatMap(({ id }) => {
    const value = answers.get(id);
    return value && value !== saved.get(id) ? [{ interactionStepId: id, value }] : [];
  });
  const isKept = (stepId: string) => asked.some(({ id }) => id === stepId && answers.get(id));
  const takenBack = [...saved.keys()].filter((stepId) => !isKept(stepId));
  return given.length + takenBack.length > 0 ? { given, takenBack } : null;
}
