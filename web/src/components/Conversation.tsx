import { useMutation } from "@apollo/client/react";
import {
  Alert,
  Box,
  Button,
  Divider,
  Menu,
  MenuItem,
  Paper,
  Stack,
  Typography,
} from "@mui/material";
import { useState } from "react";
import { CloseConversationDocument, OptOutDocument } from "../graphql/generated";
import { refusalOf } from "../hooks/errors";
import { fillIn, firstText } from "../hooks/script";
import type { Assignment } from "../hooks/useAssignment";
import { type Contact, useConversation } from "../hooks/useConversation";
import { useDraft } from "../hooks/useDraft";
import { Composer } from "./Composer";
import { MessageList } from "./MessageList";
import { Loading, Problem } from "./States";

interface Props {
  assignment: Assignment;
  contactId: string;
  /** There is nothing more to do here. `what` says what was done. */
  onDone: (what: string) => void;
}

export function Conversation({ contactId, ...rest }: Props) {
  const { contact, error, refetch } = useConversation(contactId);
  if (contact) return <WithContact contact={contact} {...rest} />;
  if (error) return <Problem error={error} onRetry={refetch} />;
  return <Loading rows={3} label="Loading the conversation" />;
}

interface WithContactProps extends Omit<Props, "contactId"> {
  contact: Contact;
}

function WithContact({ assignment, contact, onDone }: WithContactProps) {
  const { campaign } = assignment;
  const suggestion = contact.messageStatus === "needsMessage" ? firstText(assignment, contact) : "";
  const [text, write, forget] = useDraft(contact.id, suggestion);
  const done = (what: string) => {
    forget();
    onDone(what);
  };
  return (
    <Paper variant="outlined">
      <Typography variant="h2" sx={{ px: 2, pt: 2 }}>
        {contact.firstName}
      </Typography>
      <MessageList contact={contact} />
      <Divider />
      {contact.optOut ? (
        <Alert severity="info" sx={{ m: 2 }}>
          {contact.firstName} asked not to be texted any more.
        </Alert>
      ) : (
        <Composer
          teamId={campaign.organization.id ?? ""}
          contact={contact}
          text={text}
          onChange={write}
          onSent={() => done(`Sent to ${contact.firstName}.`)}
          onGone={() => onDone("")}
        />
      )}
      <Divider />
      <Stack direction="row" sx={{ p: 1, flexWrap: "wrap", gap: 1 }}>
        <Suggestions assignment={assignment} contact={contact} onChoose={write} />
        <Box sx={{ flexGrow: 1 }} />
        <Actions assignment={assignment} contact={contact} onDone={done} />
      </Stack>
    </Paper>
  );
}

/** Texts to choose, filled in for this contact. */
function Suggestions({
  assignment: { campaignCannedResponses, campaign, texter },
  contact,
  onChoose,
}: {
  assignment: Assignment;
  contact: Contact;
  onChoose: (text: string) => void;
}) {
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  if (campaignCannedResponses.length === 0) return null;
  const choose = (text: string) => {
    setAnchor(null);
    onChoose(fillIn(text, campaign, texter, contact));
  };
  return (
    <>
      <Button
        aria-haspopup="menu"
        aria-expanded={anchor !== null}
        onClick={(event) => setAnchor(event.currentTarget)}
      >
        Canned responses
      </Button>
      <Menu anchorEl={anchor} open={anchor !== null} onClose={() => setAnchor(null)}>
        {campaignCannedResponses.map(({ id, title, text }) => (
          <MenuItem key={id} onClick={() => choose(text)}>
            {title}
          </MenuItem>
        ))}
      </Menu>
    </>
  );
}

/** What always works, whatever credits remain. */
function Actions({
  assignment,
  contact,
  onDone,
}: {
  assignment: Assignment;
  contact: Contact;
  onDone: (what: string) => void;
}) {
  const [optOut, optingOut] = useMutation(OptOutDocument);
  const [close, closing] = useMutation(CloseConversationDocument);
  const failure = optingOut.error ?? closing.error;
  const isUnderWay = optingOut.loading || closing.loading;
  const { cell, id: contactId, firstName } = contact;
  async function doOptOut() {
    const text = assignment.campaign.organization.optOutMessage;
    const message = { text, contactNumber: cell, assignmentId: assignment.id };
    await optOut({ variables: { contactId, optOut: { cell, message } } });
    onDone(`${firstName} is opted out and was told so.`);
  }
  async function doClose() {
    await close({ variables: { contactId } });
    onDone(`The conversation with ${firstName} is closed.`);
  }
  // What went wrong is shown from the mutation's state.
  const quietly = (action: () => Promise<void>) => () => void action().catch(() => undefined);
  return (
    <>
      {failure && <Alert severity="error">{refusalOf(failure).sentence}</Alert>}
      <Button disabled={isUnderWay || contact.optOut !== null} onClick={quietly(doOptOut)}>
        Opt out
      </Button>
      {contact.messageStatus !== "needsMessage" && (
        <Button disabled={isUnderWay} onClick={quietly(doClose)}>
          Close conversation
        </Button>
      )}
      <Button onClick={() => onDone("")}>Skip</Button>
    </>
  );
}
