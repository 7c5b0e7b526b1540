import { useQuery } from "@apollo/client/react";
import { VisibleCreditsDocument } from "../graphql/generated";

/** In credits; remaining = purchased - used, and may be negative. */
export interface CreditFigures {
  remaining: number;
  purchased: number;
  used: number;
}

/**
 * A team's figures. `figures` is null where the viewer may not see them (CREDITS_VISIBLE_TO), and
 * undefined until that is known; `error` says why it isn't.
 */
export function useVisibleCredits(
  teamId: string,
  pollMilliseconds = 0,
): { figures: CreditFigures | null | undefined; error: unknown; refresh: () => void } {
  const { data, error, refetch } = useQuery(VisibleCreditsDocument, {
    variables: { teamId },
    errorPolicy: "all",
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
    pollInterval: pollMilliseconds,
  });
  const refresh = () => void refetch();
  const team = data?.team;
  if (!team) return { figures: undefined, error, refresh };
  const { remainingCredits: remaining, purchasedCredits: purchased, usedCredits: used } = team;
  const isVisible = remaining != null && purchased != null && used != null;
  return { figures: isVisible ? { remaining, purchased, used } : null, error: undefined, refresh };
}
