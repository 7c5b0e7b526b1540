import { Typography } from "@mui/material";

/** Quietly, since the figures are still right every five seconds. */
export function Reconnecting() {
  return (
    <Typography variant="caption" color="text.secondary">
      Reconnecting. Figures are read every five seconds meanwhile.
    </Typography>
  );
}
