import { useQuery, useSubscription } from "@apollo/client/react";
import {
  CreditFiguresChangesDocument,
  CreditFiguresDocument,
  type TeamFiguresFragment,
} from "../graphql/generated";
import { useSocketIsUp } from "./socket";

const POLL_MILLISECONDS = 5_000;

/**
 * A team's remaining, purchased and used credits as they change: told by the server, or asked for
 * every five seconds while the socket is down (`isLive` is false then). For those who may see them.
 */
export function useCreditFigures(teamId: string): {
  team: TeamFiguresFragment | null | undefined;
  error: unknown;
  isLive: boolean;
  /** Asks again after an error. */
  retry: () => void;
} {
  const isLive = useSocketIsUp();
  const variables = { teamId };
  const asked = useQuery(CreditFiguresDocument, {
    variables,
    fetchPolicy: "cache-and-network",
    pollInterval: isLive ? 0 : POLL_MILLISECONDS,
  });
  // What is told goes into the cache, from where the query above has it.
  const told = useSubscription(CreditFiguresChangesDocument, { variables });
  return {
    team: asked.data?.team,
    error: told.error ?? asked.error,
    isLive,
    // What goes wrong is in asked.error.
    retry: () => void asked.refetch().catch(() => {}),
  };
}
