import { useMutation } from "@apollo/client/react";
import { useCallback, useRef, useState } from "react";
import { AddCreditsDocument, type AddCreditsMutation } from "../graphql/generated";
import { isOutcomeUnknown, patience } from "./answers";
import { type Refusal, refusalOf } from "./errors";
import { type Addition, forgetAddition, keyed, lostAddition } from "./lostAdditions";

export type AddedPurchase = NonNullable<AddCreditsMutation["addCredits"]>;

/** `lost`: the credits may have been added or not. Adding the same once more finds out. */
export type Adding =
  | { step: "ready"; refusal: Refusal | null }
  | { step: "adding"; addition: Addition }
  | { step: "lost"; addition: Addition }
  | { step: "added"; purchase: AddedPurchase };

/**
 * Adds credits to a team, each intended addition once: its key is kept over double clicks, retries
 * and lost answers, until what became of it is known or somebody begins anew. Another amount or note
 * is another addition, and so is the next after a success.
 */
export function useAddCredits(teamId: string): {
  adding: Adding;
  add: (addition: Addition) => Promise<void>;
  /** Forgets an addition whose answer was lost. */
  beginAnew: () => void;
} {
  const [run] = useMutation(AddCreditsDocument);
  const [adding, setAdding] = useState<Adding>(() => {
    const addition = lostAddition(teamId);
    return addition ? { step: "lost", addition } : READY;
  });
  const isUnderWay = useRef(false);

  const add = useCallback(
    async (addition: Addition) => {
      if (isUnderWay.current) return;
      isUnderWay.current = true;
      setAdding({ step: "adding", addition });
      const { key, ...wanted } = keyed(teamId, addition);
      const variables = { teamId, ...wanted, idempotencyKey: key };
      try {
        const { data } = await run({ variables, context: patience() });
        const purchase = data?.addCredits;
        if (purchase) forgetAddition(teamId);
        setAdding(purchase ? { step: "added", purchase } : { step: "lost", addition });
      } catch (error) {
        if (isOutcomeUnknown(error)) {
          setAdding({ step: "lost", addition });
        } else {
          forgetAddition(teamId);
          setAdding({ step: "ready", refusal: refusalOf(error) });
        }
      } finally {
        isUnderWay.current = false;
      }
    },
    [teamId, run],
  );
  const beginAnew = useCallback(() => {
    forgetAddition(teamId);
    setAdding(READY);
  }, [teamId]);
  return { adding, add, beginAnew };
}

const READY: Adding = { step: "ready", refusal: null };
