import {
  Alert,
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogContentText,
  DialogTitle,
  Stack,
} from "@mui/material";
import { useId } from "react";
import type { ShownPurchaseFragment, TeamFiguresFragment } from "../graphql/generated";
import { formatCount, formatMoment } from "../hooks/format";
import { outcomeOfRemoving } from "../hooks/outcomes";
import { useRemovePurchase } from "../hooks/useRemovePurchase";

interface Props {
  purchase: ShownPurchaseFragment;
  /** Its figures are live: what is said changes with them. */
  team: TeamFiguresFragment;
  onRemoved: (wasBefore: boolean) => void;
  onClose: () => void;
}

/** Says what remains, before it removes a purchase. */
export function RemovePurchaseDialog({ purchase, team, onRemoved, onClose }: Props) {
  const id = useId();
  const { removing, remove } = useRemovePurchase();
  const isRemoving = removing.step === "removing";
  const credits = formatCount(purchase.amount, "credit");

  const removeIt = async () => {
    const outcome = await remove(purchase.id);
    if (outcome?.step === "removed") onRemoved(outcome.wasBefore);
  };
  return (
    <Dialog
      open
      onClose={isRemoving ? undefined : onClose}
      aria-labelledby={`${id}title`}
      aria-describedby={`${id}outcome`}
    >
      <DialogTitle id={`${id}title`}>Remove this purchase of {credits}?</DialogTitle>
      <DialogContent>
        <Stack spacing={1.5}>
          <DialogContentText>
            Added by {purchase.purchasedByName} on {formatMoment(purchase.createdAt)}
            {purchase.note && `: ${purchase.note}`}
          </DialogContentText>
          <DialogContentText id={`${id}outcome`} color="text.primary">
            {outcomeOfRemoving(team, purchase.amount)}
          </DialogContentText>
          <DialogContentText>
            It stays in the list as removed, with your name. Used credits stay used.
          </DialogContentText>
          {removing.step === "ready" && removing.sentence && (
            <Alert severity="error">{removing.sentence}</Alert>
          )}
        </Stack>
      </DialogContent>
      <DialogActions>
        <Button autoFocus disabled={isRemoving} onClick={onClose}>
          Keep it
        </Button>
        <Button variant="contained" sx={removeLook} loading={isRemoving} onClick={removeIt}>
          Remove {credits}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

const removeLook = {
  bgcolor: "blocked.text",
  color: "background.paper",
  "&:hover": { bgcolor: "blocked.text" },
};
