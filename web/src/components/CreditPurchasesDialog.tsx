import {
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogTitle,
  useMediaQuery,
  useTheme,
} from "@mui/material";
import { useId } from "react";
import { CreditPurchasesTable } from "./CreditPurchasesTable";

interface Props {
  team: { id: string; name: string };
  onClose: () => void;
  /** For superadmins. */
  canRemove?: boolean;
}

/** A team's credit purchases. Mounted means open. */
export function CreditPurchasesDialog({ team, onClose, canRemove = true }: Props) {
  const titleId = useId();
  const isNarrow = useMediaQuery(useTheme().breakpoints.down("md"));
  return (
    <Dialog
      open
      onClose={onClose}
      fullWidth
      maxWidth="md"
      fullScreen={isNarrow}
      aria-labelledby={titleId}
    >
      <DialogTitle id={titleId}>Credit purchases of {team.name}</DialogTitle>
      <DialogContent dividers sx={{ px: { xs: 1.5, sm: 3 } }}>
        <CreditPurchasesTable teamId={team.id} canRemove={canRemove} />
      </DialogContent>
      <DialogActions>
        <Button variant="contained" autoFocus onClick={onClose}>
          Close
        </Button>
      </DialogActions>
    </Dialog>
  );
}
