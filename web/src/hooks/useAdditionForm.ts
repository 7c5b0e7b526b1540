import { useState } from "react";
import { type Adding, useAddCredits } from "./useAddCredits";
import { useUnusualAmount } from "./useUnusualAmount";
import { wholeNumber } from "./writtenNumbers";

/** What the API's Int holds. How much the server really takes, it says itself. */
const MOST = 2 ** 31 - 1;

/** What is filled in to add credits to a team, what is wrong with it, and `useAddCredits`. */
export function useAdditionForm(teamId: string) {
  const { adding, add, beginAnew } = useAddCredits(teamId);
  const lost = adding.step === "lost" ? adding.addition : null;
  const [written, setWritten] = useState(lost ? String(lost.amount) : "");
  const [note, setNote] = useState(lost?.note ?? "");
  const [isChecked, setIsChecked] = useState(false);
  const [doubt, setDoubt] = useState<string | null>(null);
  const unusual = useUnusualAmount(teamId);
  const amount = wholeNumber(written);

  const addNow = () => {
    setDoubt(null);
    if (amount !== null) add({ amount, note });
  };
  return {
    adding,
    beginAnew,
    written,
    note,
    setNote,
    /** Null, unless it is a number that may be sent. */
    amount: amountProblem(written) ? null : amount,
    /** A sentence about the amount, once it was left or sent. */
    problem: isChecked ? (amountProblem(written) ?? refusedAmount(adding)) : null,
    /** While it is the same addition that may have been made, nothing about it can be changed. */
    isFixed: adding.step === "adding" || adding.step === "lost",
    write: (text: string) => {
      setWritten(text);
      setIsChecked(false);
    },
    check: () => setIsChecked(true),
    /** Adds, unless something is wrong with the amount or unusual about it. */
    submit: () => {
      setIsChecked(true);
      if (amount === null || amountProblem(written)) return;
      const reason = adding.step === "lost" ? null : unusual(amount);
      if (reason) setDoubt(reason);
      else addNow();
    },
    /** Why one should look at the amount once more; null: no reason, or nobody asked yet. */
    doubt,
    confirm: addNow,
    reconsider: () => setDoubt(null),
  };
}

/** Null where the amount may be sent. */
export function amountProblem(written: string): string | null {
  const amount = wholeNumber(written);
  if (amount === null || amount < 1) return "Enter a whole number, 1 or more.";
  return amount > MOST ? "This is more than can be added at once." : null;
}

function refusedAmount(adding: Adding): string | null {
  const refusal = adding.step === "ready" ? adding.refusal : null;
  return refusal?.code === "BAD_USER_INPUT" ? refusal.sentence : null;
}
