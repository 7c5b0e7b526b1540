import {
  Checkbox,
  FormControlLabel,
  Stack,
  TextField,
  ToggleButton,
  ToggleButtonGroup,
} from "@mui/material";
import type { problemsOf, Question } from "../hooks/useCalculator";
import { CampaignPicker } from "./CampaignPicker";

interface Props {
  teamId: string;
  question: Question;
  problems: ReturnType<typeof problemsOf>;
  onChange: (changes: Partial<Question>) => void;
}

/** A text and to how many, or a campaign; and the replies that are expected. */
export function CalculatorQuestion({ teamId, question, problems, onChange }: Props) {
  return (
    <>
      <ToggleButtonGroup
        exclusive
        fullWidth
        size="small"
        color="primary"
        aria-label="What to count"
        value={question.source}
        onChange={(_, source: Question["source"] | null) => source && onChange({ source })}
      >
        <ToggleButton value="text">Paste a text</ToggleButton>
        <ToggleButton value="campaign">Choose a campaign</ToggleButton>
      </ToggleButtonGroup>
      {question.source === "text" ? (
        <OfText question={question} problems={problems} onChange={onChange} />
      ) : (
        <CampaignPicker
          teamId={teamId}
          campaign={question.campaign}
          onChoose={(campaign) => onChange({ campaign })}
        />
      )}
      <TextField
        size="small"
        label="Replies expected per contact"
        value={question.repliesPerRecipient}
        onChange={(event) => onChange({ repliesPerRecipient: event.target.value })}
        error={problems.replies !== null}
        helperText={
          problems.replies ??
          "0.3: three of ten contacts reply once. Each reply is answered with one segment."
        }
        slotProps={{ htmlInput: { inputMode: "decimal" } }}
      />
    </>
  );
}

function OfText({ question, problems, onChange }: Omit<Props, "teamId">) {
  const hasFields = /\{\w+\}/.test(question.text);
  return (
    <>
      <TextField
        label="Text"
        multiline
        minRows={2}
        maxRows={8}
        value={question.text}
        onChange={(event) => onChange({ text: event.target.value })}
        helperText={
          hasFields
            ? "Fields such as {firstName} are counted as they stand here. Choose a campaign to count what they stand for."
            : "As it would be sent, names filled in."
        }
      />
      <Stack direction={{ xs: "column", sm: "row" }} spacing={2}>
        <TextField
          size="small"
          fullWidth
          label="Number of contacts"
          value={question.recipients}
          onChange={(event) => onChange({ recipients: event.target.value })}
          error={problems.recipients !== null}
          helperText={problems.recipients}
          slotProps={{ htmlInput: { inputMode: "numeric" } }}
        />
        <FormControlLabel
          sx={{ flexShrink: 0 }}
          label="With a picture (MMS)"
          control={
            <Checkbox
              checked={question.media}
              onChange={(event) => onChange({ media: event.target.checked })}
            />
          }
        />
      </Stack>
    </>
  );
}
