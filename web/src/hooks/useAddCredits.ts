import { useMutation } from "@apollo/client/react";
import { useCallback, useRef, useState } from "react";
import { AddCreditsDocument, type AddCreditsMutation } from "../graphql/generated";
import { isOutcomeUnknown, patience } from "./answers";
import { type Refusal, refusalOf } from "./errors";
import { newKey } from "./newKey";

/** What somebody means to add. A blank `note` is none. */
export interface Addition {
  amount: number;
  note: string;
}

export type AddedPurchase = NonNullable<AddCreditsMutation["addCredits"]>;

/** `lost`: the credits may have been added or not. Adding the same once more finds out. */
export type Adding =
  | { step: "ready"; refusal: Refusal | null }
  | { step: "adding"; addition: Addition }
  | { step: "lost"; addition: Addition }
  | { step: "added"; purchase: AddedPurchase };

/**
 * Adds credits to a team, each intended addition once: its key is kept over double clicks, retries
 * and lost answers. Another amount or note is another addition, and so is the next after a success.
 */
export function useAddCredits(teamId: string): {
  adding: Adding;
  add: (addition: Addition) => Promise<void>;
} {
  const [run] = useMutation(AddCreditsDocument);
  const [adding, setAdding] = useState<Adding>({ step: "ready", refusal: null });
  const intended = useRef<(Addition & { key: string }) | null>(null);
  const isUnderWay = useRef(false);

  const add = useCallback(
    async (addition: Addition) => {
      if (isUnderWay.current) return;
      isUnderWay.current = true;
      intended.current = keyed(addition, intended.current);
      setAdding({ step: "adding", addition });
      const variables = { teamId, ...addition, idempotencyKey: intended.current.key };
      try {
        const { data } = await run({ variables, context: patience() });
        const purchase = data?.addCredits;
        if (purchase) intended.current = null;
        setAdding(purchase ? { step: "added", purchase } : { step: "lost", addition });
      } catch (error) {
        setAdding(
          isOutcomeUnknown(error)
            ? { step: "lost", addition }
            : { step: "ready", refusal: refusalOf(error) },
        );
      } finally {
        isUnderWay.current = false;
      }
    },
    [teamId, run],
  );
  return { adding, add };
}

function keyed(addition: Addition, before: (Addition & { key: string }) | null) {
  const isTheSame = before?.amount === addition.amount && before.note === addition.note;
  return { ...addition, key: isTheSame ? before.key : newKey() };
}
