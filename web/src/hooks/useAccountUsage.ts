import { useQuery } from "@apollo/client/react";
import { AccountUsageDocument, type AccountUsageQuery } from "../graphql/generated";
import type { Period } from "./period";

export const TEAMS_IN_A_PAGE = 100;

export type AccountUsage = NonNullable<AccountUsageQuery["accountUsage"]>;

/**
 * What each team texted in a period, for superadmins: one row for each team with texts, by name,
 * in pages from 0.
 */
export function useAccountUsage(
  { from, to }: Period,
  page: number,
): {
  usage: AccountUsage | undefined;
  isLoading: boolean;
  error: unknown;
  refresh: () => void;
} {
  const { data, loading, error, refetch } = useQuery(AccountUsageDocument, {
    variables: { from, to, limit: TEAMS_IN_A_PAGE, offset: page * TEAMS_IN_A_PAGE },
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
  });
  return {
    usage: data?.accountUsage ?? undefined,
    isLoading: loading,
    error,
    refresh: () => void refetch().catch(() => undefined),
  };
}

/** Where all pages are had as one file. */
export function accountUsageFile({ from, to }: Period): string {
  return `/export/account-usage.csv?${new URLSearchParams({ from, to })}`;
}
