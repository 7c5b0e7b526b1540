import { Box, Paper, Typography } from "@mui/material";
import type { TeamFiguresFragment } from "../graphql/generated";
import { formatNumber } from "../hooks/format";
import { isBlocked } from "../hooks/useTeamStatus";
import { CreditStatusChip } from "./CreditStatusChip";
import { Reconnecting } from "./Reconnecting";

interface Props {
  team: TeamFiguresFragment;
  isLive: boolean;
}

/** Purchased less used is remaining. */
export function CreditTotals({ team, isLive }: Props) {
  return (
    <div>
      <Paper variant="outlined" sx={isBlocked(team) ? [look, blockedLook] : look}>
        <Box component="dl" sx={figuresLook}>
          <Figure name="Purchased" value={team.purchasedCredits} />
          <Figure name="Used" value={team.usedCredits} />
          <Figure name="Remaining" value={team.remainingCredits} />
        </Box>
        <CreditStatusChip status={team.creditStatus} />
      </Paper>
      {!isLive && <Reconnecting />}
    </div>
  );
}

function Figure({ name, value }: { name: string; value: number | null }) {
  return (
    <div>
      <Typography component="dt" variant="body2" color="text.secondary">
        {name}
      </Typography>
      <Typography component="dd" variant="h2" sx={{ m: 0 }}>
        {value === null ? "?" : formatNumber(value)}
      </Typography>
    </div>
  );
}

const look = {
  p: 2,
  display: "flex",
  flexWrap: "wrap",
  alignItems: "center",
  justifyContent: "space-between",
  gap: 1.5,
};
const blockedLook = { bgcolor: "blocked.background", borderColor: "blocked.border" };
const figuresLook = { display: "flex", flexWrap: "wrap", columnGap: 4, rowGap: 1, m: 0 };
