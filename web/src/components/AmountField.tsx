import { Button, Stack, TextField } from "@mui/material";
import type { Ref } from "react";
import type { TeamFiguresFragment } from "../graphql/generated";
import { formatNumber } from "../hooks/format";
import { outcomeOfAdding } from "../hooks/outcomes";
import type { useAdditionForm } from "../hooks/useAdditionForm";

const QUICK_PICKS = [500, 1_000, 5_000, 10_000];

interface Props {
  form: ReturnType<typeof useAdditionForm>;
  /** Unknown at first. */
  team: TeamFiguresFragment | null | undefined;
  inputRef: Ref<HTMLInputElement>;
}

/** How many credits, what that leads to, and the most usual ones to click. */
export function AmountField({ form, team, inputRef }: Props) {
  const { written, amount, problem, isFixed } = form;
  // Once it may have been added, what remains has it in already.
  const outcome = team && amount !== null && !isFixed ? outcomeOfAdding(team, amount) : null;
  return (
    <Stack spacing={1}>
      <TextField
        label="Credits to add"
        value={written}
        onChange={(event) => form.write(event.target.value)}
        onBlur={() => written !== "" && form.check()}
        error={problem !== null}
        helperText={problem ?? outcome ?? "One credit lets the team send one segment."}
        disabled={isFixed}
        required
        autoFocus
        autoComplete="off"
        inputRef={inputRef}
        slotProps={{ htmlInput: { inputMode: "numeric" }, formHelperText: { role: "status" } }}
      />
      <Stack
        direction="row"
        role="group"
        aria-label="Quick picks"
        sx={{ flexWrap: "wrap", gap: 1 }}
      >
        {QUICK_PICKS.map((pick) => (
          <Button
            key={pick}
            size="small"
            variant={pick === amount ? "contained" : "outlined"}
            aria-pressed={pick === amount}
            disabled={isFixed}
            onClick={() => form.write(String(pick))}
          >
            {formatNumber(pick)}
          </Button>
        ))}
      </Stack>
    </Stack>
  );
}
