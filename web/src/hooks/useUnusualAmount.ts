import { useQuery } from "@apollo/client/react";
import { RecentPurchasesDocument } from "../graphql/generated";
import { formatNumber } from "./format";

const LARGE = 100_000;
/** The largest quick pick is never unusual. */
const SMALL = 10_000;

/**
 * Of an amount, why one should look at it once more: a digit too many makes ten times of it. Null
 * where it is usual, for a team with such purchases.
 */
export function unusualAmount(amount: number, largest: number | null): string | null {
  const isLargest = largest === null || amount > largest;
  const isTenfold = largest !== null && amount >= 10 * largest;
  if (!(amount > LARGE && isLargest) && !(amount > SMALL && isTenfold)) return null;
  const texts = `enough for ${formatNumber(amount)} texts of one segment`;
  if (largest === null) return `That is ${texts}. This team has no purchases yet.`;
  const times = formatNumber(Math.floor(amount / largest));
  const largestSoFar = `its largest recent purchase, ${formatNumber(largest)}`;
  return amount >= 2 * largest
    ? `That is ${texts}, and ${times} times ${largestSoFar}.`
    : `That is ${texts}, and more than ${largestSoFar}.`;
}

/** `unusualAmount` for a team, by its last hundred purchases. */
export function useUnusualAmount(teamId: string): (amount: number) => string | null {
  const { data } = useQuery(RecentPurchasesDocument, {
    variables: { teamId },
    fetchPolicy: "cache-and-network",
  });
  const amounts = (data?.team?.creditPurchases ?? []).map((purchase) => purchase.amount);
  const largest = amounts.length > 0 ? Math.max(...amounts) : null;
  return (amount) => unusualAmount(amount, largest);
}
