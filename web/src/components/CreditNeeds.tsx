import { Box, Button, FormControlLabel, Radio, RadioGroup, Stack, Typography } from "@mui/material";
import { useId, useState } from "react";
import type { TeamFiguresFragment } from "../graphql/generated";
import { formatNumber } from "../hooks/format";
import { missingCredits, needInWords } from "../hooks/outcomes";
import type { Level, Needs } from "../hooks/useCalculator";

const LEVELS: Record<Level, { name: string; basis: string; withMargin: string }> = {
  low: { name: "Low", basis: "if nobody replies", withMargin: ", and the count is too high" },
  expected: { name: "Expected", basis: "with the replies that you expect", withMargin: "" },
  high: { name: "High", basis: "if twice as many reply", withMargin: ", and the count is too low" },
};

interface Props {
  needs: Needs;
  /** Whether low and high also allow for how far off the count may be. */
  hasMargin: boolean;
  team: TeamFiguresFragment | null | undefined;
  onFill?: (credits: number) => void;
}

/** How many credits are needed, and how many of them are missing. */
export function CreditNeeds({ needs, hasMargin, team, onFill }: Props) {
  const id = useId();
  const [level, setLevel] = useState<Level>("expected");
  const needed = needs[level];
  const missing = team ? missingCredits(team, needed) : 0;
  return (
    <Box>
      <Typography id={id} variant="h3" sx={{ mb: 0.5 }}>
        Credits needed
      </Typography>
      <RadioGroup
        aria-labelledby={id}
        value={level}
        onChange={(_, chosen) => setLevel(chosen as Level)}
      >
        {(["low", "expected", "high"] as const).map((one) => (
          <FormControlLabel
            key={one}
            value={one}
            control={<Radio size="small" />}
            label={<Choice {...LEVELS[one]} credits={needs[one]} hasMargin={hasMargin} />}
          />
        ))}
      </RadioGroup>
      {team && (
        <Stack direction="row" sx={{ alignItems: "center", flexWrap: "wrap", gap: 1, mt: 1 }}>
          <Typography role="status">{needInWords(team, needed)}</Typography>
          {missing > 0 && onFill && (
            <Button size="small" variant="outlined" onClick={() => onFill(missing)}>
              Fill in {formatNumber(missing)}
            </Button>
          )}
        </Stack>
      )}
    </Box>
  );
}

interface ChoiceProps {
  name: string;
  basis: string;
  withMargin: string;
  credits: number;
  hasMargin: boolean;
}

function Choice({ name, basis, withMargin, credits, hasMargin }: ChoiceProps) {
  return (
    <>
      {name}: <strong>{formatNumber(credits)}</strong>{" "}
      <Typography component="span" variant="body2" color="text.secondary">
        {basis}
        {hasMargin && withMargin}
      </Typography>
    </>
  );
}
