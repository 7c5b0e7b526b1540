import { useQuery } from "@apollo/client/react";
import { useCallback, useEffect, useRef, useState } from "react";
import { CreditPurchasesDocument } from "../graphql/generated";

const PAGE = 100;

/**
 * A team's credit purchases, newest first, in pages of a hundred; undefined until they are known.
 * `purchasedCredits` is the team's live figure: when it changes, somebody added or removed some,
 * and the list is read again. For those who may see the team's figures.
 */
export function useCreditPurchases(teamId: string, purchasedCredits: number | null | undefined) {
  const [shown, setShown] = useState({ includeRemoved: true, page: 0 });
  const { includeRemoved, page } = shown;
  const asked = useQuery(CreditPurchasesDocument, {
    // One more than is shown tells whether there are others.
    variables: { teamId, includeRemoved, limit: PAGE + 1, offset: page * PAGE },
    fetchPolicy: "cache-and-network",
  });
  const found = asked.data?.team?.creditPurchases;
  const { refetch } = asked;
  // What goes wrong is in asked.error.
  const readAgain = useCallback(() => void refetch().catch(() => {}), [refetch]);

  const known = useRef(purchasedCredits);
  useEffect(() => {
    if (known.current != null && known.current !== purchasedCredits) readAgain();
    known.current = purchasedCredits;
  }, [purchasedCredits, readAgain]);

  return {
    purchases: found?.slice(0, PAGE),
    error: asked.error,
    /** Reads the page again; so does what changes `purchasedCredits`. */
    readAgain,
    includeRemoved,
    setIncludeRemoved: (include: boolean) => setShown({ includeRemoved: include, page: 0 }),
    page,
    /** Undefined where there are no newer ones; likewise `showOlder`. */
    showNewer: page > 0 ? () => setShown({ includeRemoved, page: page - 1 }) : undefined,
    showOlder:
      found && found.length > PAGE ? () => setShown({ includeRemoved, page: page + 1 }) : undefined,
  };
}

/** Where a team's purchases are had as CSV. */
export function purchasesFile(teamId: string): string {
  return `/export/credit-purchases.csv?teamId=${encodeURIComponent(teamId)}`;
}
