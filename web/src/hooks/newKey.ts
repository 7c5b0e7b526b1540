/**
 * One's own name for an attempt: an idempotency key. Made of random numbers that browsers also
 * give to pages without TLS, which `crypto.randomUUID` isn't.
 */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
