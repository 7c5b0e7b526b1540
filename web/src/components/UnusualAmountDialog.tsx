import {
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogContentText,
  DialogTitle,
} from "@mui/material";
import { useId } from "react";
import { formatCount } from "../hooks/format";

interface Props {
  amount: number;
  /** Of the team. */
  name: string;
  reason: string;
  onConfirm: () => void;
  onCancel: () => void;
}

/** Asks once more, before a digit too many is booked. */
export function UnusualAmountDialog({ amount, name, reason, onConfirm, onCancel }: Props) {
  const id = useId();
  const credits = formatCount(amount, "credit");
  return (
    <Dialog open onClose={onCancel} aria-labelledby={`${id}title`} aria-describedby={`${id}why`}>
      <DialogTitle id={`${id}title`}>
        Add {credits} to {name}?
      </DialogTitle>
      <DialogContent>
        <DialogContentText id={`${id}why`}>{reason}</DialogContentText>
      </DialogContent>
      <DialogActions>
        <Button autoFocus onClick={onCancel}>
          Go back
        </Button>
        <Button variant="contained" onClick={onConfirm}>
          Add {credits}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
