import { useQuery } from "@apollo/client/react";
import { AssignmentsDocument, type AssignmentsQuery } from "../graphql/generated";

type Todo = NonNullable<NonNullable<AssignmentsQuery["currentUser"]>["todos"]>[number];
export type AssignmentToDo = NonNullable<Todo>;

/** The texter's assignments, those with something to do first. Null until they are known. */
export function useAssignments(): {
  assignments: AssignmentToDo[] | null;
  error: unknown;
  refetch: () => void;
} {
  const { data, error, refetch } = useQuery(AssignmentsDocument, {
    fetchPolicy: "cache-and-network",
  });
  const todos = data?.currentUser?.todos?.flatMap((todo) => todo ?? []);
  const assignments = todos?.sort((one, other) => waitingOf(other) - waitingOf(one)) ?? null;
  return { assignments, error, refetch: () => void refetch() };
}

function waitingOf({ toText, toAnswer }: AssignmentToDo): number {
  return Math.sign(toText + toAnswer);
}
