import { useMutation } from "@apollo/client/react";
import { useRef, useState } from "react";
import {
  HandleConversationDocument,
  type HandleConversationMutation,
  type HandleConversationMutationVariables,
  TeamStatusDocument,
} from "../graphql/generated";
import { type Refusal, refusalOf } from "./errors";
import { forgetKeys, keyOf } from "./sendKeys";
import type { Contact } from "./useConversation";
import type { AnswerChanges } from "./useSurvey";

/** What is to be done to a conversation at once. */
export interface Handling {
  text?: string;
  /** What they answered. Not kept where `text` is refused. */
  answers?: AnswerChanges;
  /** They want no more texts, and are told `farewell`, if anything, whatever credits remain. */
  optOut?: { farewell: string };
  /** Nothing more is to be said. */
  close?: boolean;
}

/** `isLost`: nobody knows whether it was accepted; doing it again does it once. */
export interface Failure extends Refusal {
  isLost: boolean;
}

/**
 * Handles a contact's conversation. A text has one key through all attempts, also those after a
 * reload, so that a double click, a lost answer and a retry send it once; another text has another
 * key. So has an opt-out's farewell.
 */
export function useHandling(contact: Pick<Contact, "id" | "cell" | "assignmentId">): {
  /** Whether it was accepted. */
  handle: (handling: Handling) => Promise<boolean>;
  isUnderWay: boolean;
  failure: Failure | null;
  forgetFailure: () => void;
} {
  const [mutate, { client }] = useMutation(HandleConversationDocument);
  const [isUnderWay, setIsUnderWay] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const underWay = useRef(false);

  async function handle(handling: Handling): Promise<boolean> {
    if (underWay.current) return false;
    underWay.current = true;
    setIsUnderWay(true);
    setFailure(null);
    try {
      const { data } = await mutate({ variables: variablesOf(contact, handling) });
      if (handling.answers && isMissing(handling.answers, data)) {
        await mutate({ variables: variablesOf(contact, { answers: handling.answers }) });
      }
      forgetKeys(contact.id);
      return true;
    } catch (error) {
      const refusal = refusalOf(error);
      const isLost = refusal.code === null || refusal.code === "OUTCOME_UNKNOWN";
      setFailure({ ...refusal, isLost });
      askForStatus(refusal);
      return false;
    } finally {
      underWay.current = false;
      setIsUnderWay(false);
    }
  }

  /** Without a socket, the banner would come only when it is time to ask again. */
  function askForStatus({ code, details: { teamId } }: Refusal) {
    if (code !== "INSUFFICIENT_CREDITS" || typeof teamId !== "string") return;
    const asked = { query: TeamStatusDocument, variables: { teamId } };
    void client.query({ ...asked, fetchPolicy: "network-only" }).catch(() => undefined);
  }

  return { handle, isUnderWay, failure, forgetFailure: () => setFailure(null) };
}

function variablesOf(
  { id: contactId, cell, assignmentId }: Pick<Contact, "id" | "cell" | "assignmentId">,
  { text, answers, optOut, close }: Handling,
): HandleConversationMutationVariables {
  const messageOf = (text: string) => ({ text, contactNumber: cell, assignmentId });
  const farewell = optOut?.farewell ? messageOf(optOut.farewell) : null;
  const keyed = text === undefined ? farewell && `opt-out: ${farewell.text}` : text;
  return {
    contactId,
    message: text === undefined ? null : messageOf(text),
    answers: answers?.given.map((answer) => ({ campaignContactId: contactId, ...answer })) ?? [],
    takenBack: answers?.takenBack ?? [],
    optOut: optOut ? { cell, message: farewell } : null,
    close: close ?? false,
    key: keyed === null ? null : keyOf(contactId, keyed),
  };
}

/** The repeat of a text that had been accepted answers what was done then. */
function isMissing(
  { given, takenBack }: AnswerChanges,
  data: HandleConversationMutation | null | undefined,
): boolean {
  const known = new Map(
    data?.handleConversation?.questionResponseValues.map((answer) => [
      String(answer.interactionStepId),
      answer.value,
    ]),
  );
  return (
    given.some(({ interactionStepId, value }) => known.get(interactionStepId) !== value) ||
    takenBack.some((stepId) => known.has(stepId))
  );
}
