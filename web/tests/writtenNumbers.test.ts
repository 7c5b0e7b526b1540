import { expect, it } from "vitest";
import { decimalNumber, wholeNumber } from "../src/hooks/writtenNumbers";

it.each([
  ["9000", 9000],
  [" 12,400 ", 12_400],
  ["1.000.000", 1_000_000],
  ["250 000", 250_000],
  ["0", 0],
])("reads %j as a whole number", (written, number) => {
  expect(wholeNumber(written)).toBe(number);
});

it.each(["", "abc", "1.5", "10,00", "1,000.5", "1,000 000", "-5", "1e3"])(
  "takes %j for no whole number",
  (written) => {
    expect(wholeNumber(written)).toBeNull();
  },
);

it("reads decimals with a point or a comma", () => {
  expect(["0.3", "0,3", ".5", "2"].map(decimalNumber)).toEqual([0.3, 0.3, 0.5, 2]);
  expect(["", "x", "-1", "1,000.5"].map(decimalNumber)).toEqual([null, null, null, null]);
});
