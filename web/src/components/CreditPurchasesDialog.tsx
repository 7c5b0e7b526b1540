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
import { TitleLevel } from "./States";

interface Props {
  team: { id: string; name: string };
  onClose: () => void;
  /** Add credits, and remove them: for superadmins. */
  canChange?: boolean;
}

/** A team's credit purchases. Mounted means open. */
export function CreditPurchasesDialog({ team, onClose, canChange = true }: Props) {
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
        <TitleLevel value="h3">
          <CreditPurchasesTable teamId={team.id} canChange={canChange} />
        </TitleLevel>
      </DialogContent>
      <DialogActions>
        <Button variant="contained" autoFocus onClick={onClose}>
          Close
        </Button>
      </DialogActions>
    </Dialog>
  );
}
