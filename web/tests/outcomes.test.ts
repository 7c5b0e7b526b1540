import { expect, it } from "vitest";
import type { CreditStatus } from "../src/graphql/generated";
import {
  missingCredits,
  needInWords,
  outcomeOfAdding,
  outcomeOfRemoving,
} from "../src/hooks/outcomes";

function team(creditStatus: CreditStatus, purchasedCredits: number, usedCredits: number) {
  const remainingCredits = purchasedCredits - usedCredits;
  return { creditStatus, purchasedCredits, usedCredits, remainingCredits };
}

it("says before a removal what remains", () => {
  expect(outcomeOfRemoving(team("AVAILABLE", 500, 300), 500)).toBe(
    "500 purchased, 300 used: removing 500 leaves -300; the team is blocked at once, until 301 are added.",
  );
  expect(outcomeOfRemoving(team("EXHAUSTED", 500, 500), 100)).toBe(
    "500 purchased, 500 used: removing 100 leaves -100; the team stays blocked until 101 are added.",
  );
  expect(outcomeOfRemoving(team("AVAILABLE", 7500, 120), 2500)).toMatch(
    "leaves 4,880; the team can go on sending.",
  );
  expect(outcomeOfRemoving(team("SHORT", 12, 2), 5)).toMatch("leaves 5; the team stays short");
  expect(outcomeOfRemoving(team("DISABLED", 300, 0), 300)).toMatch("leaves 0; credits are off");
  expect(outcomeOfRemoving(team("AVAILABLE", 25, 0), 25)).toMatch("until 1 is added");
});

it("says before an addition what remains then", () => {
  expect(outcomeOfAdding(team("AVAILABLE", 25, 0), 500)).toBe("Then 525 remain.");
  expect(outcomeOfAdding(team("EXHAUSTED", 10, 10), 500)).toBe(
    "Then 500 remain: the team can send again.",
  );
  expect(outcomeOfAdding(team("EXHAUSTED", 0, 300), 300)).toBe(
    "Then 0 remain: the team stays blocked until 1 more is added.",
  );
  expect(outcomeOfAdding(team("DISABLED", 0, 0), 5)).toMatch("Credits are off");
});

it("says how many are missing", () => {
  const rich = team("AVAILABLE", 9000, 0);
  expect(needInWords(rich, 12_400)).toBe("Needs 12,400, has 9,000: add 3,400.");
  expect(needInWords(rich, 9000)).toBe("Needs 9,000, has 9,000: that is enough.");
  expect(missingCredits(team("EXHAUSTED", 0, 300), 100)).toBe(400);
  expect(missingCredits(team("DISABLED", 0, 300), 100)).toBe(0);
});
