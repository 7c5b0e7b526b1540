import { useQuery, useSubscription } from "@apollo/client/react";
import {
  TeamStatusChangesDocument,
  TeamStatusDocument,
  type TeamStatusFragment,
} from "../graphql/generated";
import { useSocketIsUp } from "./socket";

const POLL_MILLISECONDS = 5_000;

/**
 * Whether a team can send, as it changes: told by the server, or asked for every five seconds
 * while the socket is down. For its members. `error` also says that somebody is one no longer.
 */
export function useTeamStatus(teamId: string): {
  team: TeamStatusFragment | null | undefined;
  error: unknown;
  isLive: boolean;
} {
  const isLive = useSocketIsUp();
  const variables = { teamId };
  const asked = useQuery(TeamStatusDocument, {
    variables,
    fetchPolicy: "cache-and-network",
    pollInterval: isLive ? 0 : POLL_MILLISECONDS,
  });
  // What is told goes into the cache, from where the query above has it.
  const told = useSubscription(TeamStatusChangesDocument, { variables });
  return { team: asked.data?.team, error: told.error ?? asked.error, isLive };
}

/** Pink in lists: nothing, or not enough, can be sent. */
export function isBlocked({ creditStatus }: Pick<TeamStatusFragment, "creditStatus">): boolean {
  return creditStatus === "SHORT" || creditStatus === "EXHAUSTED";
}
