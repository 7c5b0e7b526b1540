/**
 * The word that the server writes into each page, and without which its policy lets no styles in.
 * Undefined where there is no such policy.
 */
export function cspNonce(): string | undefined {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce || undefined;
}
