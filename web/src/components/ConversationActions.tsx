import { Alert, Button } from "@mui/material";
import { useState } from "react";
import type { Assignment } from "../hooks/useAssignment";
import type { Contact } from "../hooks/useConversation";
import { type Handling, useHandling } from "../hooks/useHandling";
import { OptOutDialog } from "./OptOutDialog";

interface Props {
  assignment: Assignment;
  contact: Contact;
  /** Goes along with whatever is done. */
  answers: Handling["answers"];
  onDone: (what: string) => void;
  onSkip: () => void;
}

/** What always works, whatever credits remain. */
export function ConversationActions({ assignment, contact, answers, onDone, onSkip }: Props) {
  const { handle, isUnderWay, failure, forgetFailure } = useHandling(contact);
  const [isAsking, setAsking] = useState(false);
  const { firstName } = contact;
  const { name, optOutMessage } = assignment.campaign.organization;
  const farewell = optOutMessage?.trim() ?? "";

  async function optOut() {
    if (!(await handle({ optOut: { farewell }, answers }))) return;
    setAsking(false);
    onDone(`${firstName} is opted out${farewell && " and was told so"}.`);
  }
  async function close() {
    if (await handle({ close: true, answers })) {
      onDone(`The conversation with ${firstName} is closed.`);
    }
  }
  function ask(isAsking: boolean) {
    forgetFailure();
    setAsking(isAsking);
  }
  return (
    <>
      {failure && !isAsking && <Alert severity="error">{failure.sentence}</Alert>}
      <Button disabled={isUnderWay || contact.optOut !== null} onClick={() => ask(true)}>
        Opt out
      </Button>
      {contact.messageStatus !== "needsMessage" && (
        <Button disabled={isUnderWay} onClick={() => void close()}>
          Close conversation
        </Button>
      )}
      <Button onClick={onSkip}>Skip</Button>
      {isAsking && (
        <OptOutDialog
          name={firstName}
          teamName={name ?? "the team"}
          farewell={farewell}
          isUnderWay={isUnderWay}
          failure={failure}
          onConfirm={() => void optOut()}
          onClose={() => ask(false)}
        />
      )}
    </>
  );
}
