import { useMutation } from "@apollo/client/react";
import { useCallback, useRef, useState } from "react";
import { RemoveCreditPurchaseDocument } from "../graphql/generated";
import { isOutcomeUnknown, patience } from "./answers";
import { codeOf, refusalOf } from "./errors";

const LOST =
  "The answer was lost: the purchase may or may not have been removed. Try again: it is removed once.";

/** `wasBefore`: somebody else, or an attempt whose answer was lost, has removed it already. */
export type Removing =
  | { step: "ready"; sentence: string | null }
  | { step: "removing" }
  | { step: "removed"; wasBefore: boolean };

/**
 * Removes a credit purchase. Repeating that is harmless: a purchase is removed once. `sentence`
 * says why it didn't work. `remove` answers what it came to, or null where one is under way.
 */
export function useRemovePurchase(): {
  removing: Removing;
  remove: (purchaseId: string) => Promise<Removing | null>;
} {
  const [run] = useMutation(RemoveCreditPurchaseDocument);
  const [removing, setRemoving] = useState<Removing>({ step: "ready", sentence: null });
  const isUnderWay = useRef(false);

  const remove = useCallback(
    async (id: string) => {
      if (isUnderWay.current) return null;
      isUnderWay.current = true;
      setRemoving({ step: "removing" });
      const outcome = await run({ variables: { id }, context: patience() }).then(
        (): Removing => ({ step: "removed", wasBefore: false }),
        afterFailure,
      );
      isUnderWay.current = false;
      setRemoving(outcome);
      return outcome;
    },
    [run],
  );
  return { removing, remove };
}

function afterFailure(error: unknown): Removing {
  if (codeOf(error) === "PURCHASE_ALREADY_REMOVED") return { step: "removed", wasBefore: true };
  return {
    step: "ready",
    sentence: isOutcomeUnknown(error) ? LOST : refusalOf(error).sentence,
  };
}
