import { Alert, Button, DialogActions, DialogContent, Typography } from "@mui/material";
import { useEffect, useId, useState } from "react";
import type { TeamFiguresFragment } from "../graphql/generated";
import { formatCount } from "../hooks/format";
import type { AddedPurchase } from "../hooks/useAddCredits";
import { type Removing, useRemovePurchase } from "../hooks/useRemovePurchase";

const UNDO_MILLISECONDS = 10_000;

interface Props {
  purchase: AddedPurchase;
  team: TeamFiguresFragment | null | undefined;
  onClose: () => void;
}

/** The addition worked, and can be undone for a moment. */
export function AddedCredits({ purchase, team, onClose }: Props) {
  const messageId = useId();
  const { removing, remove } = useRemovePurchase();
  const isMoment = useMoment(UNDO_MILLISECONDS);
  const isFailed = removing.step === "ready" && removing.sentence !== null;
  const isRemoved = removing.step === "removed";
  const remaining = (team ?? purchase.team).remainingCredits ?? 0;
  return (
    <>
      <DialogContent id={messageId} role="status">
        <Alert severity={isRemoved ? "info" : "success"} role="presentation">
          {headline(purchase, removing)} {purchase.team.name} has {formatCount(remaining, "credit")}{" "}
          now.
        </Alert>
        {isFailed && (
          <Alert severity="warning" sx={{ mt: 1 }}>
            {removing.sentence}
          </Alert>
        )}
        {!isRemoved && !isMoment && !isFailed && (
          <Typography variant="body2" color="text.secondary" sx={{ mt: 1.5 }}>
            Should this be wrong, remove it in the team's credit purchases.
          </Typography>
        )}
      </DialogContent>
      <DialogActions>
        {!isRemoved && (isMoment || isFailed || removing.step === "removing") && (
          <Button loading={removing.step === "removing"} onClick={() => remove(purchase.id)}>
            {isFailed ? "Try again" : "Undo"}
          </Button>
        )}
        {/* A new one takes the focus whenever Undo goes, so that it isn't lost. */}
        <Button
          key={`${isRemoved} ${isMoment}`}
          variant="contained"
          autoFocus
          aria-describedby={messageId}
          onClick={onClose}
        >
          Done
        </Button>
      </DialogActions>
    </>
  );
}

function headline({ amount }: AddedPurchase, removing: Removing): string {
  const credits = formatCount(amount, "credit");
  if (removing.step !== "removed") return `${credits} added.`;
  return removing.wasBefore
    ? `The ${credits} had been removed already.`
    : `Undone: the ${credits} were removed again.`;
}

function useMoment(milliseconds: number): boolean {
  const [isNow, setIsNow] = useState(true);
  useEffect(() => {
    const timer = setTimeout(() => setIsNow(false), milliseconds);
    return () => clearTimeout(timer);
  }, [milliseconds]);
  return isNow;
}
