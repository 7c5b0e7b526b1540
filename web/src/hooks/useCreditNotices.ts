import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import {
  type CreditNoticeOccasion,
  type CreditNoticeState,
  CreditNoticesDocument,
  type CreditNoticesQuery,
} from "../graphql/generated";

const AT_ONCE = 50;
const MOST = 500;

export type CreditNotice = NonNullable<CreditNoticesQuery["creditNotices"]>[number];

/**
 * Mail about a team's credits, newest first, for its ADMINs and above; why one didn't get on, for
 * superadmins alone. `showMore` is null where there are no older ones to ask for.
 */
export function useCreditNotices(
  teamId: string,
  isSuperadmin: boolean,
): {
  notices: CreditNotice[] | undefined;
  isLoading: boolean;
  error: unknown;
  refresh: () => void;
  showMore: (() => void) | null;
} {
  const [limit, setLimit] = useState(AT_ONCE);
  const { data, previousData, loading, error, refetch } = useQuery(CreditNoticesDocument, {
    variables: { teamId, limit, withErrors: isSuperadmin },
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
  });
  const notices = (data ?? previousData)?.creditNotices ?? undefined;
  const hasMore = notices?.length === limit && limit < MOST;
  return {
    notices,
    isLoading: loading,
    error,
    refresh: () => void refetch().catch(() => undefined),
    showMore: hasMore ? () => setLimit(limit + AT_ONCE) : null,
  };
}

/** What a mail is about. */
export const OCCASIONS: Record<CreditNoticeOccasion, string> = {
  EXHAUSTED: "Out of credits, or too few for a text",
  RUNNING_LOW: "Running low",
  SET_UP: "Turned on with no credits",
};

interface StateWords {
  word: string;
  /** What that means, where the word doesn't say it all. */
  meaning?: string;
  isTrouble?: boolean;
}

/** What became of a mail. */
export const STATES: Record<CreditNoticeState, StateWords> = {
  QUEUED: { word: "Waiting", meaning: "It is sent soon, or tried again." },
  SENDING: { word: "Being sent" },
  SENT: { word: "Sent" },
  DELIVERED: { word: "Delivered" },
  FAILED: { word: "Not sent", meaning: "It was refused, or given up.", isTrouble: true },
  BOUNCED: { word: "Came back", meaning: "Check the address.", isTrouble: true },
  DROPPED: {
    word: "Not tried",
    meaning: "Earlier mail to this address failed.",
    isTrouble: true,
  },
  UNKNOWN: {
    word: "Perhaps sent",
    meaning: "Nobody knows, and it isn't sent twice.",
    isTrouble: true,
  },
  OBSOLETE: { word: "Not needed", meaning: "Things had changed before it was sent." },
};

/** When a mail came to the state that it is in, as far as that is known. */
export function momentOf({ createdAt, sentAt, deliveredAt }: CreditNotice): string {
  return deliveredAt ?? sentAt ?? createdAt;
}
