import { Alert, Box, Button, Stack, TextField } from "@mui/material";
import type { Failure } from "../hooks/useHandling";
import type { SurveyQuestion } from "../hooks/useSurvey";

interface Props {
  questions: SurveyQuestion[];
  onChoose: (stepId: string, value: string | null) => void;
  /** Not there where nothing has changed. */
  onSave: (() => void) | undefined;
  isSaving: boolean;
  failure: Failure | null;
}

/** The script's questions. Answers go with the next text, or by themselves. */
export function Survey({ questions, onChoose, onSave, isSaving, failure }: Props) {
  if (questions.length === 0) return null;
  return (
    <Box component="section" aria-label="Survey" sx={{ px: 2, pt: 2 }}>
      <Stack direction="row" useFlexGap sx={{ flexWrap: "wrap", gap: 1.5, alignItems: "center" }}>
        {questions.map(({ stepId, text, options, answer }) => (
          <TextField
            key={stepId}
            select
            size="small"
            label={text}
            value={answer ?? ""}
            onChange={({ target }) => onChoose(stepId, target.value || null)}
            slotProps={{ select: { native: true }, inputLabel: { shrink: true } }}
            sx={{ minWidth: 220, maxWidth: "100%" }}
          >
            <option value="">Not answered</option>
            {options.map((option) => (
              <option key={option}>{option}</option>
            ))}
          </TextField>
        ))}
        {onSave && (
          <Button loading={isSaving} onClick={onSave}>
            Save without a text
          </Button>
        )}
      </Stack>
      {failure && (
        <Alert severity="error" sx={{ mt: 1 }}>
          {failure.sentence}
        </Alert>
      )}
    </Box>
  );
}
