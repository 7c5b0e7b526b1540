import DoneAllIcon from "@mui/icons-material/DoneAll";
import InboxIcon from "@mui/icons-material/Inbox";
import { Box, Button, Link, Paper, Stack, Typography } from "@mui/material";
import { type RefObject, useEffect, useRef, useState } from "react";
import { Navigate, Link as RouterLink, useNavigate, useParams } from "react-router";
import { formatCount } from "../hooks/format";
import { useAssignment } from "../hooks/useAssignment";
import { type AssignmentToDo, useAssignments } from "../hooks/useAssignments";
import { Conversation } from "./Conversation";
import { Loading, NotAllowed, Notice, Problem, TitleLevel } from "./States";
import { useTitle } from "./useTitle";

/** Where texters text: their assignments, and one contact after the other. */
export default function TextingPage() {
  const { assignmentId, contactId } = useParams();
  if (!assignmentId) return <Assignments />;
  return <AssignmentPart key={assignmentId} assignmentId={assignmentId} contactId={contactId} />;
}

function Assignments() {
  useTitle("Your assignments");
  const { assignments, error, refetch } = useAssignments();
  if (!assignments) {
    return error ? <Problem error={error} onRetry={refetch} /> : <Loading rows={3} />;
  }
  if (assignments.length === 0) {
    return (
      <Notice icon={<InboxIcon />} title="Nothing to text yet">
        When an admin of your team assigns contacts to you, they appear here.
      </Notice>
    );
  }
  return (
    <Stack spacing={2} sx={column}>
      <Typography variant="h1">Your assignments</Typography>
      {assignments.map((assignment) => (
        <AssignmentCard key={assignment.id} assignment={assignment} />
      ))}
    </Stack>
  );
}

function AssignmentCard({
  assignment: { id, campaign, toText, toAnswer },
}: {
  assignment: AssignmentToDo;
}) {
  const isDone = toText + toAnswer === 0;
  const work = [
    toAnswer > 0 && `${formatCount(toAnswer, "reply", "replies")} to answer`,
    toText > 0 && `${formatCount(toText, "first text")} to send`,
  ].filter(Boolean);
  return (
    <Paper variant="outlined" component="section" aria-labelledby={`a${id}`} sx={{ p: 2 }}>
      <Stack
        direction={{ xs: "column", sm: "row" }}
        spacing={2}
        sx={{ alignItems: { sm: "center" } }}
      >
        <Box sx={{ flexGrow: 1 }}>
          <Typography variant="h2" id={`a${id}`}>
            {campaign.title}
          </Typography>
          <Typography variant="body2" color="text.secondary">
            {campaign.organization.name}
          </Typography>
          <Typography>{campaign.description}</Typography>
          <Typography sx={{ mt: 1, fontWeight: 500 }}>
            {isDone ? "Nothing waits for you here." : work.join(", ")}
          </Typography>
        </Box>
        {!isDone && (
          <Button
            variant="contained"
            component={RouterLink}
            to={`/text/${id}`}
            aria-describedby={`a${id}`}
          >
            Start texting
          </Button>
        )}
      </Stack>
    </Paper>
  );
}

function AssignmentPart({ assignmentId, contactId }: { assignmentId: string; contactId?: string }) {
  const { assignment, waiting, error, refetch } = useAssignment(assignmentId);
  const [done, setDone] = useState("");
  const [skipped, setSkipped] = useState<string[]>([]);
  const shown = useShown(contactId);
  useTitle(assignment?.campaign.title ?? "Texting");
  const navigate = useNavigate();
  // Who was skipped comes again after all others.
  const isWaiting = (id: string) => waiting.includes(id);
  const todo = [...waiting.filter((id) => !skipped.includes(id)), ...skipped.filter(isWaiting)];
  const next = todo.find((id) => id !== contactId);

  if (!assignment) {
    if (error) return <Problem error={error} onRetry={refetch} />;
    return assignment === null ? <NotAllowed /> : <Loading rows={3} />;
  }
  if (!contactId && todo[0]) return <Navigate to={`/text/${assignmentId}/${todo[0]}`} replace />;

  function goOn(what: string) {
    setDone(what);
    // An answer that comes late leads nobody away from where they have gone meanwhile.
    if (shown.current !== contactId) return;
    navigate(next ? `/text/${assignmentId}/${next}` : `/text/${assignmentId}`);
  }
  function skip() {
    if (contactId) setSkipped((ids) => [...ids.filter((id) => id !== contactId), contactId]);
    goOn(next ? "" : "Nobody else is waiting.");
  }
  function leave() {
    refetch();
    skip();
  }
  return (
    <Stack spacing={2} sx={column}>
      <Box>
        <Link component={RouterLink} to="/text">
          All assignments
        </Link>
        <Typography variant="h1">{assignment.campaign.title}</Typography>
        <Typography variant="body2" color="text.secondary">
          {formatCount(todo.length, "contact")} waiting
        </Typography>
      </Box>
      <Typography role="status" sx={{ minHeight: 24 }}>
        {done}
      </Typography>
      <TitleLevel value="h2">
        {contactId ? (
          <Conversation
            key={contactId}
            assignment={assignment}
            contactId={contactId}
            onDone={goOn}
            onSkip={skip}
            onGone={leave}
          />
        ) : (
          <AllDone onLook={refetch} />
        )}
      </TitleLevel>
    </Stack>
  );
}

/** Which contact is shown now, for who was asked about another one. Undefined once none is. */
function useShown(contactId: string | undefined): RefObject<string | undefined> {
  const shown = useRef(contactId);
  useEffect(() => {
    shown.current = contactId;
    return () => {
      shown.current = undefined;
    };
  }, [contactId]);
  return shown;
}

/** Looks once more: replies may have come in meanwhile. */
function AllDone({ onLook }: { onLook: () => void }) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when there is nothing left.
  useEffect(onLook, []);
  return (
    <Notice
      icon={<DoneAllIcon />}
      title="All done"
      action={
        <Button variant="outlined" onClick={onLook}>
          Look for replies
        </Button>
      }
    >
      Nobody waits for a text of yours right now.
    </Notice>
  );
}

const column = { maxWidth: 760, mx: "auto" };
