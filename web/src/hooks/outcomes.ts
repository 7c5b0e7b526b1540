import type { TeamFiguresFragment } from "../graphql/generated";
import { formatNumber } from "./format";
import { isBlocked } from "./useTeamStatus";

type Team = Pick<
  TeamFiguresFragment,
  "creditStatus" | "remainingCredits" | "purchasedCredits" | "usedCredits"
>;

/** What an addition leads to, in words. */
export function outcomeOfAdding(team: Team, amount: number): string {
  const after = remaining(team) + amount;
  const leaves = `Then ${formatNumber(after)} remain`;
  if (team.creditStatus === "DISABLED") return `${leaves}. Credits are off: nothing is limited.`;
  if (after <= 0)
    return `${leaves}: the team stays blocked until ${missingOf(after)} more ${after === 0 ? "is" : "are"} added.`;
  return isBlocked(team) ? `${leaves}: the team can send again.` : `${leaves}.`;
}

/** What removing a purchase of so many credits leads to, in words. */
export function outcomeOfRemoving(team: Team, amount: number): string {
  const after = remaining(team) - amount;
  const purchased = formatNumber(team.purchasedCredits ?? 0);
  const sum = `${purchased} purchased, ${formatNumber(team.usedCredits ?? 0)} used`;
  return `${sum}: removing ${formatNumber(amount)} leaves ${formatNumber(after)}; ${fate(team, after)}.`;
}

function fate(team: Team, after: number): string {
  if (team.creditStatus === "DISABLED") return "credits are off, so the team can go on sending";
  if (after <= 0) {
    const turn = isBlocked(team) ? "stays blocked" : "is blocked at once,";
    return `the team ${turn} until ${missingOf(after)} ${after === 0 ? "is" : "are"} added`;
  }
  // What makes it short ends when credits are added, not when some are removed.
  if (isBlocked(team)) return "the team stays short: shorter texts go, longer ones are refused";
  return "the team can go on sending";
}

/** How many credits a team lacks for so many; 0: it has enough, or needs none. */
export function missingCredits(team: Team, needed: number): number {
  return team.creditStatus === "DISABLED" ? 0 : Math.max(needed - remaining(team), 0);
}

/** "Needs 12,400, has 9,000: add 3,400." */
export function needInWords(team: Team, needed: number): string {
  const [needs, has] = [formatNumber(needed), formatNumber(remaining(team))];
  if (team.creditStatus === "DISABLED")
    return `Needs ${needs}. Credits are off: no need to add any.`;
  const missing = missingCredits(team, needed);
  return missing > 0
    ? `Needs ${needs}, has ${has}: add ${formatNumber(missing)}.`
    : `Needs ${needs}, has ${has}: that is enough.`;
}

/** To have one credit again. */
function missingOf(remaining: number): string {
  return formatNumber(1 - remaining);
}

function remaining({ remainingCredits }: Team): number {
  return remainingCredits ?? 0;
}
