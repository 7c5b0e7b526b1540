import { useQuery } from "@apollo/client/react";
import {
  TeamUsageDocument,
  type TeamUsageQuery,
  type UsageFiguresFragment,
} from "../graphql/generated";
import type { UsageChoice } from "./period";
import { useVisibleCredits } from "./useVisibleCredits";

export type UsageRow = NonNullable<NonNullable<TeamUsageQuery["team"]>["usage"]>[number];

/** In texts, segments and credits. creditsUsed is left out for who may not see it. */
export type Figures = Omit<UsageFiguresFragment, "__typename"> & { creditsUsed?: number | null };

/**
 * What a team texted, for its ADMINs and above. By day and month there is a row for each of the
 * period, the oldest first; by campaign for those with texts, the most segments first.
 */
export function useUsage(
  teamId: string,
  { from, to, by }: UsageChoice,
): {
  rows: readonly UsageRow[] | undefined;
  isLoading: boolean;
  error: unknown;
  refresh: () => void;
} {
  const { figures, error: unknown, refresh: askAgain } = useVisibleCredits(teamId);
  const isKnown = figures !== undefined;
  const { data, loading, error, refetch } = useQuery(TeamUsageDocument, {
    variables: { teamId, from, to, by, withCredits: Boolean(figures) },
    skip: !isKnown,
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
  });
  return {
    rows: data?.team?.usage ?? undefined,
    isLoading: loading || !(isKnown || unknown),
    error: error ?? unknown,
    refresh: isKnown ? () => void refetch().catch(() => undefined) : askAgain,
  };
}

/** The sum of rows. */
export function totalOf(rows: readonly Figures[]): Figures {
  const sum = (figure: (row: Figures) => number) =>
    rows.reduce((total, row) => total + figure(row), 0);
  const isVisible = rows.some(({ creditsUsed }) => creditsUsed != null);
  return {
    texts: sum(({ texts }) => texts),
    segments: sum(({ segments }) => segments),
    mediaTexts: sum(({ mediaTexts }) => mediaTexts),
    failed: sum(({ failed }) => failed),
    ...(isVisible && { creditsUsed: sum(({ creditsUsed }) => creditsUsed ?? 0) }),
  };
}

/** Where the same is had as a file. */
export function usageFile(teamId: string, { from, to, by }: UsageChoice): string {
  return `/export/usage.csv?${new URLSearchParams({ teamId, from, to, by })}`;
}

/** What is counted, by name. `of` is null or undefined where it isn't visible. */
export const MEASURES: readonly {
  name: string;
  of: (figures: Figures) => number | null | undefined;
}[] = [
  { name: "Texts", of: ({ texts }) => texts },
  { name: "Segments", of: ({ segments }) => segments },
  { name: "With media (MMS)", of: ({ mediaTexts }) => mediaTexts },
  { name: "Failed", of: ({ failed }) => failed },
  { name: "Credits used", of: ({ creditsUsed }) => creditsUsed },
];
