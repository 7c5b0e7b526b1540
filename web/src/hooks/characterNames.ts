/** What one can't see, or not tell from its plain sister. */
const NAMES: Record<string, string> = {
  "\u2018": "curly apostrophe",
  "\u2019": "curly apostrophe",
  "\u201c": "curly quote",
  "\u201d": "curly quote",
  "\u201e": "low quote",
  "\u2010": "hyphen",
  "\u2011": "non-breaking hyphen",
  "\u2013": "en dash",
  "\u2014": "em dash",
  "\u2212": "minus sign",
  "\u2026": "ellipsis",
  "\u2022": "bullet",
  "\u0060": "backtick",
  "\u00ab": "angle quote",
  "\u00bb": "angle quote",
  "\t": "tab",
  "\u00a0": "no-break space",
  "\u202f": "narrow no-break space",
  "\u00ad": "soft hyphen",
  "\u200b": "zero-width space",
  "\u200c": "zero-width non-joiner",
  "\u200d": "joins emoji",
  "\u2060": "word joiner",
  "\ufe0f": "makes an emoji colorful",
  "\ufeff": "byte order mark",
};
const KINDS: [RegExp, string][] = [
  [/^\p{Letter}$/u, "letter"],
  [/^\p{Mark}$/u, "accent"],
  [/^\p{Extended_Pictographic}$/u, "emoji"],
  [/^\p{Emoji_Modifier}$/u, "skin tone of an emoji"],
  [/^\p{Regional_Indicator}$/u, "part of a flag"],
  [/^\p{Space_Separator}$/u, "special space"],
];
/** Shown by their names alone. */
const UNSEEN = /^(?:[\p{Separator}\p{Control}\p{Format}]|\ufe0f)$/u;

/** "“ (curly quote)", "ú (letter)"; what can't be seen, by its name alone: "no-break space". */
export function nameOf(character: string): string {
  const kind = KINDS.find(([pattern]) => pattern.test(character))?.[1];
  const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
  const name = NAMES[character] ?? kind;
  if (UNSEEN.test(character)) return name ?? `invisible character U+${code}`;
  return `${character} (${name ?? `character U+${code}`})`;
}
