import { newKey } from "./newKey";
import { readStored, store } from "./stored";

/**
 * The keys of texts to a contact that were tried and aren't known to have been accepted. As a
 * draft, such a key outlives a reload: a text whose answer was lost may have been sent.
 */
export function keyOf(contactId: string, text: string): string {
  const keys = readKeys(contactId);
  const known = keys.find((one) => one.text === text);
  if (known) return known.key;
  const key = newKey();
  store(nameOf(contactId), JSON.stringify([...keys, { text, key }]));
  return key;
}

/** After one was accepted: the same text again would be meant as another one. */
export function forgetKeys(contactId: string): void {
  store(nameOf(contactId), null);
}

interface Tried {
  text: string;
  key: string;
}

function readKeys(contactId: string): Tried[] {
  return JSON.parse(readStored(nameOf(contactId)) ?? "[]");
}

function nameOf(contactId: string): string {
  return `keys:${contactId}`;
}
