import { Box, Button, FormHelperText, Stack, TextField } from "@mui/material";
import { useId, useState } from "react";
import { problemOf, quickPicks, type UsageChoice } from "../hooks/period";

interface Props {
  choice: UsageChoice;
  /** The day in UTC. */
  today: string;
  onChange: (choice: UsageChoice) => void;
}

/** Which days of UTC, by their names or from one to another. What can't be asked for stays here. */
export function PeriodPicker({ choice, today, onChange }: Props) {
  const [draft, setDraft] = useState(choice);
  const [shown, setShown] = useState(choice);
  if (shown.from !== choice.from || shown.to !== choice.to) {
    setShown(choice);
    setDraft(choice);
  }
  const problem = problemOf({ ...draft, by: choice.by });
  const help = useId();
  const change = (part: Partial<UsageChoice>) => {
    const wanted = { ...draft, by: choice.by, ...part };
    setDraft(wanted);
    if (!problemOf(wanted)) onChange(wanted);
  };
  const day = (name: "from" | "to", label: string) => (
    <TextField
      type="date"
      size="small"
      label={label}
      value={draft[name]}
      error={problem !== null}
      onChange={({ target }) => change({ [name]: target.value })}
      sx={{ flex: "1 1 150px", maxWidth: 190 }}
      slotProps={{ inputLabel: { shrink: true }, htmlInput: { "aria-describedby": help } }}
    />
  );
  return (
    <Stack direction="row" useFlexGap role="group" aria-label="Period" sx={look}>
      <Stack direction="row" useFlexGap sx={{ flexWrap: "wrap", gap: 1, minHeight: 40 }}>
        {quickPicks(today).map(({ name, from, to }) => {
          const isChosen = choice.from === from && choice.to === to;
          return (
            <Button
              key={name}
              sx={{ minHeight: 40 }}
              variant={isChosen ? "contained" : "outlined"}
              aria-pressed={isChosen}
              onClick={() => change({ from, to })}
            >
              {name}
            </Button>
          );
        })}
      </Stack>
      <Box>
        <Stack direction="row" useFlexGap sx={{ flexWrap: "wrap", gap: 1.5 }}>
          {day("from", "From")}
          {day("to", "To")}
        </Stack>
        <FormHelperText id={help} error={problem !== null}>
          {problem ?? "Both days included. Days are UTC."}
        </FormHelperText>
      </Box>
    </Stack>
  );
}

const look = { flexWrap: "wrap", columnGap: 3, rowGap: 2, alignItems: "flex-start" };
