import { Alert, Paper, Skeleton, Stack, Typography } from "@mui/material";
import type { TeamFiguresFragment } from "../graphql/generated";
import { refusalOf } from "../hooks/errors";
import { type Answer, type Question, useCalculator } from "../hooks/useCalculator";
import { CalculatorQuestion } from "./CalculatorQuestion";
import { CampaignCount } from "./CampaignCount";
import { CreditNeeds } from "./CreditNeeds";
import { TextCost } from "./TextCost";

interface Props {
  teamId: string;
  team: TeamFiguresFragment | null | undefined;
  /** Takes the credits that are missing; without it they are only told. */
  onFill?: (credits: number) => void;
}

/** Tells what texting so many people will cost, and how many credits are missing for that. */
export function CreditCalculator({ teamId, team, onFill }: Props) {
  const { question, change, problems, answer, error, isCounting } = useCalculator();
  return (
    <Paper variant="outlined" sx={{ p: 2 }}>
      <Stack spacing={2}>
        <Typography variant="body2" color="text.secondary">
          Carriers bill by the segment: a short text is one, a longer one is split into several. One
          segment costs one credit.
        </Typography>
        <CalculatorQuestion
          teamId={teamId}
          question={question}
          problems={problems}
          onChange={change}
        />
        {isCounting && <Counting />}
        {error ? <Alert severity="error">{refusalOf(error).sentence}</Alert> : null}
        {answer && !error && (
          <Answered
            answer={answer}
            question={question}
            team={team}
            change={change}
            onFill={onFill}
          />
        )}
      </Stack>
    </Paper>
  );
}

function Counting() {
  return (
    <div role="status">
      <Typography variant="body2">Counting the campaign's contacts …</Typography>
      <Skeleton variant="rounded" height={72} />
    </div>
  );
}

interface AnsweredProps {
  answer: Answer;
  question: Question;
  team: TeamFiguresFragment | null | undefined;
  change: (changes: Partial<Question>) => void;
  onFill?: (credits: number) => void;
}

function Answered({ answer, question, team, change, onFill }: AnsweredProps) {
  const { counted, needs } = answer;
  const isCampaign = question.source === "campaign";
  const countInstead = (text: string) =>
    change(
      isCampaign ? { source: "text", text, recipients: String(counted.recipients) } : { text },
    );
  return (
    <>
      <TextCost counted={counted} isCampaign={isCampaign} onFix={countInstead} />
      {counted.campaignEstimate && <CampaignCount estimate={counted.campaignEstimate} />}
      {needs ? (
        <CreditNeeds
          needs={needs}
          hasMargin={(counted.campaignEstimate?.creditsNeededMargin ?? 0) > 0}
          team={team}
          onFill={onFill}
        />
      ) : (
        <Typography variant="body2" color="text.secondary">
          Enter the number of contacts to see how many credits they need.
        </Typography>
      )}
    </>
  );
}
