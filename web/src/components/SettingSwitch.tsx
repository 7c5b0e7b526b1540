import { Alert, Box, FormControlLabel, Paper, Skeleton, Switch, Typography } from "@mui/material";
import { type ReactNode, useId } from "react";
import { refusalOf } from "../hooks/errors";

interface Props {
  label: string;
  /** Undefined or null while it isn't known. */
  isOn: boolean | null | undefined;
  isBusy: boolean;
  canChange: boolean;
  error: unknown;
  onChange: (isOn: boolean) => void;
  /** What is so now, in a sentence: it is read out when it changes. */
  effect: string;
  children: ReactNode;
}

/** A setting of a team that is on or off, and what that means. */
export function SettingSwitch(props: Props) {
  const { label, isOn, isBusy, canChange, error, onChange, effect, children } = props;
  const description = useId();
  if (isOn == null && !error) return <Skeleton variant="rounded" height={160} />;
  return (
    <Paper
      variant="outlined"
      sx={{ px: { xs: 2, sm: 3 }, pt: { xs: 1, sm: 1.5 }, pb: { xs: 2, sm: 3 } }}
    >
      <FormControlLabel
        label={label}
        disabled={!canChange || isOn == null}
        slotProps={{ typography: { sx: { fontWeight: 500 } } }}
        control={
          <Switch
            checked={isOn ?? false}
            // Disabled for a moment, it would lose the focus.
            onChange={(_, wanted) => !isBusy && onChange(wanted)}
            slotProps={{ input: { role: "switch", "aria-describedby": description } }}
          />
        }
      />
      <Box id={description} sx={{ mt: 1, maxWidth: "65ch" }}>
        {isOn != null && (
          <Typography role="status" sx={{ mb: 1 }}>
            {isBusy ? "Saving …" : effect}
          </Typography>
        )}
        <Typography variant="body2" color="text.secondary">
          {children}
        </Typography>
        {!canChange && (
          <Typography variant="body2" sx={{ mt: 1 }}>
            Only owners of the team can change this.
          </Typography>
        )}
      </Box>
      {Boolean(error) && (
        <Alert severity="error" sx={{ mt: 2 }}>
          {refusalOf(error).sentence}
        </Alert>
      )}
    </Paper>
  );
}
