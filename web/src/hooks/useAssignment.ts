import { useQuery } from "@apollo/client/react";
import { AssignmentDocument, type AssignmentQuery } from "../graphql/generated";

export type Assignment = NonNullable<AssignmentQuery["assignment"]>;

const POLL_MILLISECONDS = 30_000;
const WAITING = ["needsMessage", "needsResponse"];

/**
 * An assignment and the ids of its contacts that wait for a text, replies first. A contact leaves
 * the list by itself once it has been texted, has opted out or was closed, and comes back with a
 * reply, which is asked for now and then.
 */
export function useAssignment(assignmentId: string): {
  assignment: Assignment | null | undefined;
  waiting: string[];
  error: unknown;
  refetch: () => void;
} {
  const { data, error, refetch } = useQuery(AssignmentDocument, {
    variables: { assignmentId },
    fetchPolicy: "cache-and-network",
    pollInterval: POLL_MILLISECONDS,
  });
  const assignment = data?.assignment;
  const contacts = (assignment?.waiting ?? []).filter(
    ({ messageStatus, optOut }) => WAITING.includes(messageStatus) && !optOut,
  );
  const waiting = contacts
    .sort((one, other) => rankOf(one.messageStatus) - rankOf(other.messageStatus))
    .map(({ id }) => id);
  return { assignment, waiting, error, refetch: () => void refetch() };
}

function rankOf(messageStatus: string): number {
  return messageStatus === "needsResponse" ? 0 : 1;
}
