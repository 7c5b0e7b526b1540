/** Periods of usage, in days of UTC such as 2026-11-22, both ends included. */

import type { UsageBy } from "../graphql/generated";

const DAY_MILLISECONDS = 86_400_000;
const MOST_DAYS: Record<UsageBy, number> = { DAY: 366, CAMPAIGN: 366, MONTH: 3653 };

export interface Period {
  from: string;
  to: string;
}

/** What usage is asked for. */
export interface UsageChoice extends Period {
  by: UsageBy;
}

export interface QuickPick extends Period {
  name: string;
}

export function today(): string {
  return dayOf(Date.now());
}

/** The usual periods; the first is the one to begin with. */
export function quickPicks(until: string): [QuickPick, ...QuickPick[]] {
  const to = until;
  return [
    { name: "Last 14 days", from: daysBefore(until, 13), to },
    { name: "Last 30 days", from: daysBefore(until, 29), to },
    { name: "This month", from: `${until.slice(0, 7)}-01`, to },
    { name: "This year", from: `${until.slice(0, 4)}-01-01`, to },
  ];
}

/** Why usage can't be asked for so, in a sentence; null where it can. */
export function problemOf({ from, to, by }: UsageChoice): string | null {
  if (!isDay(from) || !isDay(to)) return "Choose both days.";
  if (from > to) return "The first day is after the last one.";
  if (daysIn({ from, to }) <= MOST_DAYS[by]) return null;
  return by === "MONTH"
    ? "Choose at most ten years."
    : "Choose at most 366 days, or see longer periods by month.";
}

/** The choice that an address holds, such as ?from=2026-11-01&to=2026-11-14&by=DAY. */
export function choiceIn(address: URLSearchParams, until: string): UsageChoice {
  const [usual] = quickPicks(until);
  const by = address.get("by");
  const choice = {
    from: address.get("from") ?? usual.from,
    to: address.get("to") ?? usual.to,
    by: by === "MONTH" || by === "CAMPAIGN" ? by : "DAY",
  } as const;
  return problemOf(choice) ? { from: usual.from, to: usual.to, by: "DAY" } : choice;
}

/** The last days of the period, as many as can be asked for at once. */
export function shortened(choice: UsageChoice): UsageChoice {
  const earliest = daysBefore(choice.to, MOST_DAYS[choice.by] - 1);
  return choice.from < earliest ? { ...choice, from: earliest } : choice;
}

function isDay(day: string): boolean {
  const moment = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(moment) && dayOf(moment) === day;
}

function daysIn({ from, to }: Period): number {
  return (Date.parse(to) - Date.parse(from)) / DAY_MILLISECONDS + 1;
}

function daysBefore(day: string, count: number): string {
  return dayOf(Date.parse(day) - count * DAY_MILLISECONDS);
}

function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10);
}
