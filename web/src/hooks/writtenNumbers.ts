/** Numbers as people of any country write them; null for what is none. */

const GROUPED = /^\d{1,3}([,.'’\u00a0\u202f ])\d{3}(?:\1\d{3})*$/;

/** "9000", "9,000", "9.000" or "9 000"; no fractions. */
export function wholeNumber(written: string): number | null {
  const text = written.trim();
  return /^\d+$/.test(text) || GROUPED.test(text) ? Number(text.replace(/\D/g, "")) : null;
}

/** "0.3" or "0,3", without groups and sign. */
export function decimalNumber(written: string): number | null {
  const text = written.trim();
  return /^\d*[.,]?\d+$/.test(text) ? Number(text.replace(",", ".")) : null;
}
