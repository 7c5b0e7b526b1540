import PersonOffIcon from "@mui/icons-material/PersonOff";
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
import { codeOf } from "../hooks/errors";
import { fillIn, firstStep, type Step, textOf } from "../hooks/script";
import type { Assignment } from "../hooks/useAssignment";
import { type Contact, useConversation } from "../hooks/useConversation";
import { useDraft } from "../hooks/useDraft";
import { useHandling } from "../hooks/useHandling";
import { useSurvey } from "../hooks/useSurvey";
import { Composer } from "./Composer";
import { ConversationActions } from "./ConversationActions";
import { MessageList } from "./MessageList";
import { Loading, Notice, Problem } from "./States";
import { Survey } from "./Survey";

interface Props {
  assignment: Assignment;
  contactId: string;
  /** There is nothing more to do here. `what` says what was done. */
  onDone: (what: string) => void;
  onSkip: () => void;
  /** The contact is somebody else's by now, or was never there. */
  onGone: () => void;
}

export function Conversation({ contactId, ...rest }: Props) {
  const { contact, error, refetch } = useConversation(contactId);
  if (contact === null || GONE.has(codeOf(error))) return <Gone onGone={rest.onGone} />;
  if (contact) return <WithContact contact={contact} {...rest} />;
  if (error) return <Problem error={error} onRetry={refetch} />;
  return <Loading rows={3} label="Loading the conversation" />;
}

const GONE: ReadonlySet<string | null> = new Set(["BAD_USER_INPUT", "FORBIDDEN", "NOT_FOUND"]);

function Gone({ onGone }: { onGone: () => void }) {
  return (
    <Notice
      icon={<PersonOffIcon />}
      title="This contact isn't yours"
      action={
        <Button variant="contained" autoFocus onClick={onGone}>
          Go on
        </Button>
      }
    >
      Somebody else has the conversation by now, or it was taken out of the campaign.
    </Notice>
  );
}

interface WithContactProps extends Omit<Props, "contactId"> {
  contact: Contact;
}

function WithContact({ assignment, contact, onDone, onSkip, onGone }: WithContactProps) {
  const { organization } = assignment.campaign;
  const survey = useSurvey(assignment, contact);
  const saving = useHandling(contact);
  const answers = survey.changes ?? undefined;
  const [text, write, forget] = useDraft(
    contact.id,
    suggestionFor(assignment, contact, survey.next),
  );
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
      <Survey
        questions={survey.questions}
        onChoose={survey.choose}
        onSave={answers && (() => void saving.handle({ answers }))}
        isSaving={saving.isUnderWay}
        failure={saving.failure}
      />
      {contact.optOut ? (
        <Alert severity="info" sx={{ m: 2 }}>
          {contact.firstName} asked not to be texted any more.
        </Alert>
      ) : (
        <Composer
          teamId={organization.id ?? ""}
          contact={contact}
          text={text}
          answers={answers}
          onChange={write}
          onSent={() => done(`Sent to ${contact.firstName}.`)}
          onGone={onGone}
        />
      )}
      <Divider />
      <Stack direction="row" sx={{ p: 1, flexWrap: "wrap", gap: 1 }}>
        <Suggestions assignment={assignment} contact={contact} onChoose={write} />
        <Box sx={{ flexGrow: 1 }} />
        <ConversationActions {...{ assignment, contact, answers, onSkip }} onDone={done} />
      </Stack>
    </Paper>
  );
}

/** What the script says next: to an answer, or to begin with. */
function suggestionFor(assignment: Assignment, contact: Contact, next: Step | null): string {
  const first = contact.messageStatus === "needsMessage" ? firstStep(assignment.campaign) : null;
  const step = next ?? first;
  return step ? textOf(step, assignment, contact) : "";
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
