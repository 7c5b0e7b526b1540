import { Box, Link, Pagination, Paper, Stack, Typography } from "@mui/material";
import { Link as RouterLink } from "react-router";
import { formatNumber } from "../hooks/format";
import { daysLeft, type TeamList, type TeamRowFragment } from "../hooks/useTeamList";
import { isBlocked } from "../hooks/useTeamStatus";
import { CreditStatusChip } from "./CreditStatusChip";
import { Sparkline } from "./Sparkline";
import { TeamActions, type TeamDialog } from "./TeamActions";
import { formatDaysLeft } from "./TeamTable";

interface Props {
  list: TeamList;
  teams: TeamRowFragment[];
  page: number;
  pages: number;
  onPage: (page: number) => void;
  onOpen: (team: TeamRowFragment, dialog: TeamDialog) => void;
}

/** The same as TeamTable where there is no room for a table. */
export function TeamCards({ list, teams, page, pages, onPage, onOpen }: Props) {
  return (
    <Stack spacing={1.5} component="ul" sx={{ listStyle: "none", m: 0, p: 0 }}>
      {teams.map((team) => (
        <Paper key={team.id} component="li" variant="outlined" sx={cardLook(team)}>
          <Stack direction="row" sx={{ alignItems: "center", gap: 1, flexWrap: "wrap" }}>
            <Link component={RouterLink} to={`/team/${team.id}`} sx={{ flexGrow: 1 }}>
              {team.name}
            </Link>
            <CreditStatusChip
              status={team.creditStatus}
              isRunningLow={team.isRunningLow ?? false}
            />
          </Stack>
          <Figures team={team} days={daysLeft(team, list.usage.get(team.id) ?? [])} />
          <Stack direction="row" sx={{ alignItems: "center" }}>
            <Sparkline usage={list.usage.get(team.id) ?? []} />
            <Box sx={{ flexGrow: 1 }} />
            <TeamActions name={team.name} onOpen={(dialog) => onOpen(team, dialog)} />
          </Stack>
        </Paper>
      ))}
      {pages > 1 && (
        <li>
          <Pagination count={pages} page={page + 1} onChange={(_, next) => onPage(next - 1)} />
        </li>
      )}
    </Stack>
  );
}

function Figures({ team, days }: { team: TeamRowFragment; days: number | null }) {
  const figures: [string, string][] = [
    ["Remaining", formatNumber(team.remainingCredits ?? 0)],
    ["Purchased", formatNumber(team.purchasedCredits ?? 0)],
    ["Used", formatNumber(team.usedCredits ?? 0)],
    ["Days left", formatDaysLeft(days)],
  ];
  return (
    <Box component="dl" sx={{ display: "flex", flexWrap: "wrap", gap: 2, my: 1 }}>
      {figures.map(([name, value]) => (
        <Box key={name}>
          <Typography component="dt" variant="caption" color="text.secondary">
            {name}
          </Typography>
          <Box component="dd" sx={{ m: 0, fontWeight: 500 }}>
            {value}
          </Box>
        </Box>
      ))}
    </Box>
  );
}

function cardLook(team: TeamRowFragment) {
  const pink = { bgcolor: "blocked.background", borderColor: "blocked.border" };
  return { p: 1.5, ...(isBlocked(team) ? pink : {}) };
}
