import { expect, it } from "vitest";
import { nameOf } from "../src/hooks/characterNames";
import { gentleFix } from "../src/hooks/gentleFix";

it("replaces what nobody misses, and says what", () => {
  expect(gentleFix("It’s “Saturday” – come…\u00a0now\u200b!")).toEqual({
    text: 'It\'s "Saturday" - come... now!',
    changes: [
      "curly quotes",
      "curly apostrophes",
      "dashes",
      "ellipses",
      "special spaces",
      "invisible characters",
    ],
  });
});

it("keeps letters, and the joiners within emoji and words", () => {
  const text = "Núñez \u{1f469}\u200d\u{1f33e} می\u200cخواهم ❤\ufe0f";
  expect(gentleFix(text)).toEqual({ text, changes: [] });
});

it("names characters, those alone that can't be seen", () => {
  expect(["“", "—", "ú", "✊", "\u00a0", "\u200b", "\u2003", "☐"].map(nameOf)).toEqual([
    "“ (curly quote)",
    "— (em dash)",
    "ú (letter)",
    "✊ (emoji)",
    "no-break space",
    "zero-width space",
    "special space",
    "☐ (character U+2610)",
  ]);
});
