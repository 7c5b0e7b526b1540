import { newKey } from "./newKey";
import { readStored, store } from "./stored";

/** What somebody means to add. A blank `note` is none. */
export interface Addition {
  amount: number;
  note: string;
}

export interface KeyedAddition extends Addition {
  key: string;
}

/**
 * An addition to a team that was asked for and isn't known to have been made, or refused. It
 * outlives its dialog and a reload: who asked again under another key might add twice.
 */
export function lostAddition(teamId: string): KeyedAddition | null {
  return JSON.parse(readStored(nameOf(teamId)) ?? "null");
}

/** The same addition keeps its key; another one has another. */
export function keyed(teamId: string, { amount, note }: Addition): KeyedAddition {
  const before = lostAddition(teamId);
  if (before?.amount === amount && before.note === note) return before;
  const addition = { amount, note, key: newKey() };
  store(nameOf(teamId), JSON.stringify(addition));
  return addition;
}

export function forgetAddition(teamId: string): void {
  store(nameOf(teamId), null);
}

function nameOf(teamId: string): string {
  return `addition:${teamId}`;
}
