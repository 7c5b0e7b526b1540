/** Characters that word processors put in, what stands for them just as well, and what they are. */
const PLAIN: { found: RegExp; plain: string; name: string }[] = [
  { found: /[\u201c-\u201f]/g, plain: '"', name: "curly quotes" },
  { found: /[\u2018-\u201b]/g, plain: "'", name: "curly apostrophes" },
  { found: /[\u2010-\u2015\u2212]/g, plain: "-", name: "dashes" },
  { found: /\u2026/g, plain: "...", name: "ellipses" },
  { found: /[\u00a0\u2000-\u200a\u202f\t]/g, plain: " ", name: "special spaces" },
  { found: /[\u200b\u2060\ufeff\u00ad]/g, plain: "", name: "invisible characters" },
];

/**
 * A text with plain characters where nobody sees a difference, and the names of what was changed.
 * Letters, emoji and the joiners within them stay: they say something.
 */
export function gentleFix(text: string): { text: string; changes: string[] } {
  const changes: string[] = [];
  let fixed = text;
  for (const { found, plain, name } of PLAIN) {
    const next = fixed.replace(found, plain);
    if (next !== fixed) changes.push(name);
    fixed = next;
  }
  return { text: fixed, changes };
}
