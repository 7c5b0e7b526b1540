import { useMutation } from "@apollo/client/react";
import { useRef, useState } from "react";
import { SendTextDocument, TeamStatusDocument } from "../graphql/generated";
import { type Refusal, refusalOf } from "./errors";
import { forgetKeys, keyOf } from "./sendKeys";
import type { Contact } from "./useConversation";

/** `isLost`: nobody knows whether the text was accepted; sending it again sends it once. */
export interface Failure extends Refusal {
  isLost: boolean;
}

/**
 * Sends texts to a contact. A text has one key through all attempts, also those after a reload, so
 * that a double click, a lost answer and a retry send it once; another text has another key.
 */
export function useSend(contact: Pick<Contact, "id" | "cell" | "assignmentId">): {
  /** Whether the text was accepted. */
  send: (text: string) => Promise<boolean>;
  isSending: boolean;
  failure: Failure | null;
  forgetFailure: () => void;
} {
  const [mutate, { client }] = useMutation(SendTextDocument);
  const [isSending, setIsSending] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const isUnderWay = useRef(false);

  async function send(text: string): Promise<boolean> {
    if (isUnderWay.current) return false;
    isUnderWay.current = true;
    setIsSending(true);
    setFailure(null);
    const { id: contactId, cell: contactNumber, assignmentId } = contact;
    try {
      const message = { text, contactNumber, assignmentId };
      await mutate({ variables: { contactId, message, key: keyOf(contactId, text) } });
      forgetKeys(contactId);
      return true;
    } catch (error) {
      const refusal = refusalOf(error);
      const isLost = refusal.code === null || refusal.code === "OUTCOME_UNKNOWN";
      setFailure({ ...refusal, isLost });
      askForStatus(refusal);
      return false;
    } finally {
      isUnderWay.current = false;
      setIsSending(false);
    }
  }

  /** Without a socket, the banner would come only when it is time to ask again. */
  function askForStatus({ code, details: { teamId } }: Refusal) {
    if (code !== "INSUFFICIENT_CREDITS" || typeof teamId !== "string") return;
    const asked = { query: TeamStatusDocument, variables: { teamId } };
    void client.query({ ...asked, fetchPolicy: "network-only" }).catch(() => undefined);
  }

  return { send, isSending, failure, forgetFailure: () => setFailure(null) };
}
