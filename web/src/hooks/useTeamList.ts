import { useQuery, useSubscription } from "@apollo/client/react";
import { useEffect, useMemo } from "react";
import {
  type CreditStatus,
  TeamChangesDocument,
  TeamCountsDocument,
  type TeamOrder,
  type TeamRowFragment,
  TeamsDocument,
  TeamsUsageDocument,
  type TeamsUsageQuery,
} from "../graphql/generated";
import { useSocketIsUp } from "./socket";
import { useThrottled } from "./useThrottled";

export type { TeamOrder, TeamRowFragment };

/** As many as the community edition of MUI's grid can show. */
export const TEAMS_PER_PAGE = 100;
export const SPARKLINE_DAYS = 14;
const DAY_MILLISECONDS = 86_400_000;
const POLL_MILLISECONDS = 10_000;
const REFETCH_MILLISECONDS = 2_000;

export type Show = "all" | "blocked" | "low" | "off";

export interface TeamWishes {
  /** Part of a name. */
  search: string;
  show: Show;
  orderBy: TeamOrder;
  /** From 0 on. */
  page: number;
}

/** What a team texted on a day in UTC. */
export type UsageOfDay = NonNullable<
  NonNullable<TeamsUsageQuery["teams"]>["teams"][number]["usage"]
>[number];

export interface TeamList {
  /** Those of the page before, as long as the next one is loading; null until there are any. */
  teams: TeamRowFragment[] | null;
  /** Of each team, by its id, the last SPARKLINE_DAYS days; not there until they are known. */
  usage: Map<string, UsageOfDay[]>;
  /** How many teams there are on all pages; null until that is known. */
  total: number | null;
  /** How many teams the account has; null until that is known. */
  counts: { all: number; blocked: number; low: number } | null;
  error: unknown;
  isLoading: boolean;
  isLive: boolean;
  refetch: () => void;
}

/** A page of the account's teams, as they change. For superadmins. */
export function useTeamList({ search, show, orderBy, page }: TeamWishes): TeamList {
  const isLive = useSocketIsUp();
  const polling = { pollInterval: isLive ? 0 : POLL_MILLISECONDS };
  const variables = {
    search: search || null,
    ...filterOf(show),
    orderBy,
    limit: TEAMS_PER_PAGE,
    offset: page * TEAMS_PER_PAGE,
  };
  const fetchPolicy = "cache-and-network";
  const list = useQuery(TeamsDocument, { variables, fetchPolicy, ...polling });
  const days = useQuery(TeamsUsageDocument, { variables: { ...variables, ...period() } });
  const counted = useQuery(TeamCountsDocument, { fetchPolicy, ...polling });

  // What has changed goes into the cache by itself; which teams are on the page may change, too.
  // The first event has no teams, and says that from now on nothing is missed.
  const look = useThrottled(() => {
    void list.refetch();
    void counted.refetch();
  }, REFETCH_MILLISECONDS);
  const told = useSubscription(TeamChangesDocument, { onData: look });

  const shown = list.data ?? (list.error ? undefined : list.previousData);
  const teams = shown?.teams?.teams ?? null;
  const used = (days.data ?? days.previousData)?.teams?.teams;
  const usage = useMemo(() => new Map(used?.map((team) => [team.id, team.usage ?? []])), [used]);

  // A team that has joined the page was not asked for with the others.
  const lookAtDays = useThrottled(() => void days.refetch(), REFETCH_MILLISECONDS);
  const isMissed = !days.loading && !days.error && teams?.some(({ id }) => !usage.has(id));
  useEffect(() => {
    if (isMissed) lookAtDays();
  }, [isMissed, lookAtDays]);

  return {
    teams,
    usage,
    total: (list.data ?? list.previousData)?.teams?.pageInfo.total ?? null,
    counts: countsOf(counted.data),
    error: told.error ?? list.error,
    isLoading: list.loading && !list.data,
    isLive,
    refetch: () => void list.refetch(),
  };
}

type Counted = Record<"all" | "blocked" | "low", { pageInfo: { total: number } } | null>;

function countsOf(data: Counted | undefined): TeamList["counts"] {
  if (!data?.all || !data.blocked || !data.low) return null;
  const { all, blocked, low } = data;
  return { all: all.pageInfo.total, blocked: blocked.pageInfo.total, low: low.pageInfo.total };
}

interface Filter {
  creditsEnabled?: boolean;
  creditStatus?: CreditStatus[];
  runningLow?: boolean;
}

function filterOf(show: Show): Filter {
  switch (show) {
    case "blocked":
      return { creditStatus: ["SHORT", "EXHAUSTED"] };
    case "low":
      return { runningLow: true };
    case "off":
      return { creditsEnabled: false };
    case "all":
      return {};
  }
}

/** Where the same teams are as a file. */
export function csvAddress({ search, show }: Pick<TeamWishes, "search" | "show">): string {
  const { creditsEnabled, creditStatus = [], runningLow } = filterOf(show);
  const query = new URLSearchParams();
  if (search) query.set("search", search);
  if (creditsEnabled !== undefined) query.set("creditsEnabled", String(creditsEnabled));
  if (runningLow !== undefined) query.set("runningLow", String(runningLow));
  for (const status of creditStatus) query.append("creditStatus", status);
  return `/export/teams.csv?${query}`;
}

/** The last SPARKLINE_DAYS days in UTC, today included. */
function period(): { from: string; to: string } {
  const day = (ago: number) =>
    new Date(Date.now() - ago * DAY_MILLISECONDS).toISOString().slice(0, 10);
  return { from: `${day(SPARKLINE_DAYS - 1)}T00:00:00Z`, to: `${day(0)}T00:00:00Z` };
}

/**
 * For how many days the remaining credits last if the team goes on as in the last SPARKLINE_DAYS
 * days. Null where that says nothing: credits are off, or nothing was used.
 */
export function daysLeft(
  { creditsEnabled, remainingCredits }: TeamRowFragment,
  usage: UsageOfDay[],
): number | null {
  const used = usage.reduce((sum, day) => sum + (day.creditsUsed ?? 0), 0);
  if (!creditsEnabled || remainingCredits === null || used <= 0) return null;
  return Math.max(0, remainingCredits / (used / SPARKLINE_DAYS));
}
