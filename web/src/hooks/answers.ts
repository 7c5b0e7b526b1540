import { codeOf } from "./errors";

const PATIENCE_MILLISECONDS = 20_000;
/** The server can't say, or nobody answered (null), or what broke may have broken after the deed. */
const UNKNOWN: readonly (string | null)[] = ["OUTCOME_UNKNOWN", "INTERNAL_SERVER_ERROR", null];

/** Whether what was asked for may have been done all the same. */
export function isOutcomeUnknown(error: unknown): boolean {
  return UNKNOWN.includes(codeOf(error));
}

/** An operation's context: after this time without an answer, the answer counts as lost. */
export function patience(): { fetchOptions: { signal: AbortSignal } } {
  return { fetchOptions: { signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) } };
}
