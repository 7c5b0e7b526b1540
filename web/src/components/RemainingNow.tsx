import { Alert, Skeleton, Stack, Typography } from "@mui/material";
import type { TeamFiguresFragment } from "../graphql/generated";
import { codeOf, refusalOf } from "../hooks/errors";
import { formatNumber } from "../hooks/format";
import { CreditStatusChip } from "./CreditStatusChip";
import { Reconnecting } from "./Reconnecting";

interface Props {
  team: TeamFiguresFragment | null | undefined;
  error: unknown;
  isLive: boolean;
}

/** What the team has, live. */
export function RemainingNow({ team, error, isLive }: Props) {
  // Once they are known, a lost connection is told by `isLive`; a right that was lost, here.
  if (error && (!team || codeOf(error))) {
    return <Alert severity="error">{refusalOf(error).sentence}</Alert>;
  }
  if (!team) return <Skeleton variant="text" width="60%" height={32} />;
  return (
    <div>
      <Stack direction="row" sx={{ alignItems: "center", flexWrap: "wrap", gap: 1 }}>
        <Typography>
          Remaining now: <strong>{formatNumber(team.remainingCredits ?? 0)}</strong>
        </Typography>
        <CreditStatusChip status={team.creditStatus} />
      </Stack>
      {!isLive && <Reconnecting />}
    </div>
  );
}
