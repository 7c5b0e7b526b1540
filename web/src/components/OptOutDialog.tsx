import {
  Alert,
  Box,
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogTitle,
  Typography,
} from "@mui/material";
import { useId } from "react";
import type { Failure } from "../hooks/useHandling";

interface Props {
  name: string;
  teamName: string;
  /** What they are told; empty for nothing. */
  farewell: string;
  isUnderWay: boolean;
  failure: Failure | null;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before somebody is never texted again. Mounted means open. */
export function OptOutDialog({ name, teamName, farewell, isUnderWay, failure, ...on }: Props) {
  const titleId = useId();
  return (
    <Dialog
      open
      onClose={isUnderWay ? undefined : on.onClose}
      fullWidth
      maxWidth="xs"
      aria-labelledby={titleId}
    >
      <DialogTitle id={titleId}>Opt out {name}?</DialogTitle>
      <DialogContent>
        <Typography>
          Nobody of {teamName} can text them any more, in any campaign.
          {farewell && " They are told now, whatever credits remain:"}
        </Typography>
        {farewell && (
          <Box component="blockquote" sx={quoteLook}>
            {farewell}
          </Box>
        )}
        {failure && (
          <Alert severity={failure.isLost ? "warning" : "error"} sx={{ mt: 2 }}>
            {failure.sentence}
            {failure.isLost && " Trying again doesn't tell them twice."}
          </Alert>
        )}
      </DialogContent>
      <DialogActions>
        <Button autoFocus disabled={isUnderWay} onClick={on.onClose}>
          Cancel
        </Button>
        <Button variant="contained" color="error" loading={isUnderWay} onClick={on.onConfirm}>
          {failure ? "Try again" : "Opt out"}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

const quoteLook = {
  mx: 0,
  my: 1.5,
  pl: 1.5,
  borderLeft: 3,
  borderColor: "divider",
  overflowWrap: "anywhere",
};
