import { Dialog, DialogTitle, useMediaQuery, useTheme } from "@mui/material";
import { useId } from "react";
import { useAdditionForm } from "../hooks/useAdditionForm";
import { useCreditFigures } from "../hooks/useCreditFigures";
import { AddCreditsForm } from "./AddCreditsForm";
import { AddedCredits } from "./AddedCredits";
import { UnusualAmountDialog } from "./UnusualAmountDialog";

interface Props {
  team: { id: string; name: string };
  /** Comes some time after a success: before, what was added can be undone for a moment. */
  onClose: () => void;
}

/** Adds credits to a team, with the calculator. Mounted means open. For superadmins. */
export function AddCreditsDialog({ team, onClose }: Props) {
  const titleId = useId();
  const isNarrow = useMediaQuery(useTheme().breakpoints.down("sm"));
  const form = useAdditionForm(team.id);
  const figures = useCreditFigures(team.id);
  const { adding, amount, doubt } = form;
  const isAdded = adding.step === "added";
  return (
    <>
      <Dialog
        open
        onClose={adding.step === "adding" ? undefined : onClose}
        fullWidth
        fullScreen={isNarrow && !isAdded}
        aria-labelledby={titleId}
      >
        <DialogTitle id={titleId}>Add credits to {team.name}</DialogTitle>
        {isAdded ? (
          <AddedCredits purchase={adding.purchase} team={figures.team} onClose={onClose} />
        ) : (
          <AddCreditsForm teamId={team.id} figures={figures} form={form} onClose={onClose} />
        )}
      </Dialog>
      {doubt !== null && amount !== null && (
        <UnusualAmountDialog
          amount={amount}
          name={team.name}
          reason={doubt}
          onConfirm={form.confirm}
          onCancel={form.reconsider}
        />
      )}
    </>
  );
}
