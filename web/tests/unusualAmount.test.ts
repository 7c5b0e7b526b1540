import { expect, it } from "vitest";
import { unusualAmount } from "../src/hooks/useUnusualAmount";

it("asks once more about what is large, and larger than what the team has bought", () => {
  expect(unusualAmount(100_000, null)).toBeNull();
  expect(unusualAmount(250_000, null)).toMatch("This team has no purchases yet.");
  expect(unusualAmount(250_000, 250_000)).toBeNull();
  expect(unusualAmount(250_000, 200_000)).toMatch(
    "more than its largest recent purchase, 200,000.",
  );
});

it("asks once more about ten times as much, unless that is a quick pick", () => {
  expect(unusualAmount(50_000, 5000)).toBe(
    "That is enough for 50,000 texts of one segment, and 10 times its largest recent purchase, 5,000.",
  );
  expect(unusualAmount(10_000, 25)).toBeNull();
  expect(unusualAmount(49_999, 5000)).toBeNull();
});
