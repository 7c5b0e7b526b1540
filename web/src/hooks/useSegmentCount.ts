import { useQuery } from "@apollo/client/react";
import { SegmentCountDocument, type SegmentCountQuery } from "../graphql/generated";
import { useDebounced } from "./useDebounced";

export type SegmentCount = NonNullable<SegmentCountQuery["estimateCredits"]>;

const PAUSE_MILLISECONDS = 200;

/**
 * What a text will cost, counted by the server as at the debit, a moment after the last key. The
 * last count stands until there is a new one; null for no text, or where nothing was counted yet.
 */
export function useSegmentCount(text: string): SegmentCount | null {
  const settled = useDebounced(text, PAUSE_MILLISECONDS);
  const isEmpty = settled.trim() === "";
  const { data, previousData } = useQuery(SegmentCountDocument, {
    variables: { text: settled },
    skip: isEmpty,
    // Each text is asked for once: remembering all of them would fill the memory.
    fetchPolicy: "no-cache",
  });
  return isEmpty ? null : ((data ?? previousData)?.estimateCredits ?? null);
}
