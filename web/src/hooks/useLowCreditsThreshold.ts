import { useMutation, useQuery } from "@apollo/client/react";
import { LowCreditsThresholdDocument, SetLowCreditsThresholdDocument } from "../graphql/generated";

/**
 * At how many credits a team's people are warned, besides at parts of what was bought. Null for
 * none, undefined until it is known. For superadmins.
 */
export function useLowCreditsThreshold(teamId: string): {
  threshold: number | null | undefined;
  isBusy: boolean;
  /** Why it isn't known, or wasn't changed. */
  error: unknown;
  /** Whether it was changed. */
  change: (threshold: number | null) => Promise<boolean>;
} {
  const { data, error: unknown } = useQuery(LowCreditsThresholdDocument, {
    variables: { teamId },
    fetchPolicy: "cache-and-network",
  });
  const [set, { loading: isBusy, error: refused }] = useMutation(SetLowCreditsThresholdDocument);
  const change = (credits: number | null) =>
    set({ variables: { teamId, credits } }).then(
      () => true,
      () => false,
    );
  return { threshold: data?.team?.lowCreditsThreshold, isBusy, error: refused ?? unknown, change };
}
