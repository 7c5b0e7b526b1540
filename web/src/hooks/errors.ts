import { CombinedGraphQLErrors } from "@apollo/client";

export interface Refusal {
  /** What clients act on: see the README's list of codes. Null where no server answered. */
  code: string | null;
  /** What people read. */
  sentence: string;
  /** Figures that came with it, such as `remaining` and `required` of INSUFFICIENT_CREDITS. */
  details: Record<string, unknown>;
}

const UNREACHED = "The server can't be reached. Check your connection and try again.";

/** The first refusal that an operation met. */
export function refusalOf(error: unknown): Refusal {
  if (CombinedGraphQLErrors.is(error) && error.errors[0]) {
    const { message, extensions } = error.errors[0];
    const code = typeof extensions?.code === "string" ? extensions.code : null;
    return { code, sentence: message, details: { ...extensions } };
  }
  return { code: null, sentence: UNREACHED, details: {} };
}

export function codeOf(error: unknown): string | null {
  return refusalOf(error).code;
}
