import { Box, Stack, TextField, Typography } from "@mui/material";
import { useEffect, useRef } from "react";
import { useLocation, useNavigate } from "react-router";
import type { CreditStatus } from "../graphql/generated";
import type { TeamSettings } from "../hooks/useTeamSettings";
import { managedTeams, type Viewer } from "../hooks/useViewer";
import { CreditStatusChip } from "./CreditStatusChip";
import { useTitle } from "./useTitle";

interface Props {
  settings: TeamSettings;
  viewer: Viewer;
  /** The tab that another team is opened at. */
  tab: string;
  isLive: boolean;
}

/** A team's name and whether it can send, as that changes; and the way to the viewer's others. */
export function TeamHeader({ settings, viewer, tab, isLive }: Props) {
  const { id, name, creditStatus } = settings;
  const isRunningLow = settings.isRunningLow ?? false;
  const heading = useHeadingInFocus();
  useTitle(name);
  return (
    <Stack direction={{ xs: "column", sm: "row" }} spacing={2} sx={{ mb: 2 }}>
      <Box sx={{ flexGrow: 1, minWidth: 0 }}>
        <Stack direction="row" useFlexGap sx={{ gap: 1.5, flexWrap: "wrap", alignItems: "center" }}>
          <Typography ref={heading} tabIndex={-1} variant="h1" sx={headingLook}>
            {name}
          </Typography>
          <CreditStatusChip status={creditStatus} isRunningLow={isRunningLow} />
        </Stack>
        <Typography role="status" color="text.secondary" sx={{ mt: 0.5 }}>
          {isRunningLow && creditStatus === "AVAILABLE" ? RUNNING_LOW : SENTENCES[creditStatus]}
        </Typography>
        {!isLive && (
          <Typography variant="body2" color="text.secondary" sx={lateLook}>
            Reconnecting … Until then this is asked for every few seconds.
          </Typography>
        )}
      </Box>
      <TeamSwitch teamId={id} teamName={name} viewer={viewer} tab={tab} />
    </Stack>
  );
}

interface SwitchProps {
  teamId: string;
  teamName: string;
  viewer: Viewer;
  tab: string;
}

function TeamSwitch({ teamId, teamName, viewer, tab }: SwitchProps) {
  const navigate = useNavigate();
  const { search } = useLocation();
  const own = managedTeams(viewer);
  const others = own.filter((membership) => membership.teamId !== teamId);
  if (others.length === 0) return null;
  const teams = others.length < own.length ? own : [{ teamId, teamName }, ...own];
  return (
    <TextField
      select
      size="small"
      label="Team"
      value={teamId}
      onChange={({ target }) =>
        navigate(`/team/${target.value}/${tab}${search}`, { state: CHOSEN })
      }
      slotProps={{ select: { native: true } }}
      sx={{ minWidth: 200, maxWidth: { sm: 320 } }}
    >
      {teams.map((team) => (
        <option key={team.teamId} value={team.teamId}>
          {team.teamName}
        </option>
      ))}
    </TextField>
  );
}

const CHOSEN = { isChosenTeam: true };

/** Opening another team takes the page away, and the focus with it. */
function useHeadingInFocus() {
  const heading = useRef<HTMLHeadingElement>(null);
  const { state } = useLocation();
  useEffect(() => {
    if (state?.isChosenTeam) heading.current?.focus();
  }, [state]);
  return heading;
}

const RUNNING_LOW = "Credits are running low. There is still time to add some.";
const SENTENCES: Record<CreditStatus, string> = {
  AVAILABLE: "Texts go out as long as credits remain.",
  SHORT: "A text was refused because it needs more credits than remain. Shorter ones still go out.",
  EXHAUSTED: "No credits remain: every text is refused until a superadmin adds some.",
  DISABLED: "Texts go out without a limit, and use no credits.",
};

const headingLook = { outline: "none", overflowWrap: "anywhere" };
// The socket takes a moment at first, which is no news.
const lateLook = {
  animation: "appear 0s 3s both",
  "@keyframes appear": { from: { visibility: "hidden" }, to: { visibility: "visible" } },
};
