import { Alert, Button, Paper, Skeleton, Stack, TextField, Typography } from "@mui/material";
import { type SubmitEvent, useState } from "react";
import { refusalOf } from "../hooks/errors";
import { formatCount, formatNumber } from "../hooks/format";
import { useLowCreditsThreshold } from "../hooks/useLowCreditsThreshold";
import { wholeNumber } from "../hooks/writtenNumbers";

/** A number of credits to warn at, for this team alone. For superadmins. */
export function LowCreditsThreshold({ teamId }: { teamId: string }) {
  const { threshold, isBusy, error, change } = useLowCreditsThreshold(teamId);
  const [written, setWritten] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  if (threshold === undefined && !error) return <Skeleton variant="rounded" height={160} />;

  const saved = threshold ? formatNumber(threshold) : "";
  async function save(event: SubmitEvent) {
    event.preventDefault();
    const text = (written ?? saved).trim();
    const wanted = text === "" ? null : wholeNumber(text);
    const isWrong = text !== "" && (wanted === null || wanted < 1);
    setProblem(isWrong ? "Enter a whole number, 1 or more, or nothing." : null);
    if (!isWrong && !isBusy && (await change(wanted))) setWritten(null);
  }
  return (
    <Paper
      variant="outlined"
      component="form"
      noValidate
      onSubmit={save}
      sx={{ p: { xs: 2, sm: 3 } }}
    >
      <Stack direction="row" useFlexGap sx={{ flexWrap: "wrap", gap: 1.5 }}>
        <TextField
          label="Also warn at so many credits"
          size="small"
          value={written ?? saved}
          onChange={(event) => setWritten(event.target.value)}
          error={problem !== null}
          helperText={problem}
          slotProps={{ htmlInput: { inputMode: "numeric" }, formHelperText: { role: "alert" } }}
        />
        <Button type="submit" loading={isBusy} sx={{ alignSelf: "flex-start" }}>
          Save
        </Button>
      </Stack>
      <Typography role="status" sx={{ my: 1 }}>
        {threshold
          ? `There is a mail when ${formatCount(threshold, "credit")} or fewer remain.`
          : "No number is set for this team."}
      </Typography>
      <Typography variant="body2" color="text.secondary" sx={{ maxWidth: "65ch" }}>
        Besides the warnings at parts of what was added. Leave it empty for none. Only superadmins
        see and change it.
      </Typography>
      {Boolean(error) && (
        <Alert severity="error" sx={{ mt: 2 }}>
          {refusalOf(error).sentence}
        </Alert>
      )}
    </Paper>
  );
}
