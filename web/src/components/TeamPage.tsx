import { Box, Stack, Tab, Tabs } from "@mui/material";
import { Link, useLocation, useParams } from "react-router";
import { codeOf } from "../hooks/errors";
import { useTeamSettings } from "../hooks/useTeamSettings";
import { useTeamStatus } from "../hooks/useTeamStatus";
import { manages, owns, roleIn, type Viewer } from "../hooks/useViewer";
import { type CreditFigures, useVisibleCredits } from "../hooks/useVisibleCredits";
import { CreditPurchasesTable } from "./CreditPurchasesTable";
import { CreditsToggle } from "./CreditsToggle";
import { FigureList } from "./FigureList";
import { LowCreditsThreshold } from "./LowCreditsThreshold";
import { NoticesTable } from "./NoticesTable";
import { RunningLowMailToggle } from "./RunningLowMailToggle";
import { Loading, NotAllowed, Problem, TitleLevel } from "./States";
import { TeamHeader } from "./TeamHeader";
import { UsagePage } from "./UsagePage";

const POLL_MILLISECONDS = 60_000;
const TABS = [
  { path: "settings", name: "Settings" },
  { path: "usage", name: "Usage" },
  { path: "notices", name: "Notices" },
] as const;
/** Only where the team's figures are visible. */
const PURCHASES = { path: "purchases", name: "Purchases" } as const;

interface Props {
  teamId: string;
  viewer: Viewer;
}

/** A team's settings, usage, notices and purchases, for its ADMINs and OWNERs, and superadmins. */
export default function TeamPage({ teamId, viewer }: Props) {
  const role = roleIn(viewer, teamId);
  if (!manages(role)) {
    return <NotAllowed>Only admins and owners of the team see it. Ask one of them.</NotAllowed>;
  }
  return <ManagedTeam teamId={teamId} viewer={viewer} canChange={owns(role)} />;
}

interface ManagedTeamProps extends Props {
  canChange: boolean;
}

function ManagedTeam({ teamId, viewer, canChange }: ManagedTeamProps) {
  const { tab = "settings" } = useParams();
  const pollMilliseconds = POLL_MILLISECONDS;
  const { settings, error, refresh } = useTeamSettings({
    teamId,
    asOwner: canChange,
    pollMilliseconds,
  });
  const { figures } = useVisibleCredits(teamId, pollMilliseconds);
  const live = useTeamStatus(teamId);
  const lost = [live.error, error].find((one) => LOSSES.has(codeOf(one)));
  if (lost) return <Problem error={lost} />;
  if (!settings) return error ? <Problem error={error} onRetry={refresh} /> : <Loading />;
  return (
    <>
      <TeamHeader settings={settings} viewer={viewer} tab={tab} isLive={live.isLive} />
      <TeamTabs teamId={teamId} tab={tab} withPurchases={Boolean(figures)} />
      <Box role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`} sx={{ pt: 3 }}>
        <TitleLevel value="h2">
          <TabContent {...{ teamId, viewer, canChange, tab, figures }} />
        </TitleLevel>
      </Box>
    </>
  );
}

/** The viewer is signed out, or no longer the team's ADMIN. */
const LOSSES: ReadonlySet<string | null> = new Set(["FORBIDDEN", "NOT_FOUND", "UNAUTHENTICATED"]);

interface TabsProps {
  teamId: string;
  tab: string;
  withPurchases: boolean;
}

function TeamTabs({ teamId, tab, withPurchases }: TabsProps) {
  const { search } = useLocation();
  const tabs = withPurchases ? [...TABS, PURCHASES] : TABS;
  const isKnown = tabs.some(({ path }) => path === tab);
  return (
    <Tabs
      value={isKnown ? tab : false}
      variant="scrollable"
      aria-label="About this team"
      sx={tabsLook}
    >
      {tabs.map(({ path, name }) => (
        <Tab
          key={path}
          component={Link}
          to={`/team/${teamId}/${path}${search}`}
          value={path}
          label={name}
          id={`tab-${path}`}
          aria-controls={path === tab ? "tab-panel" : undefined}
        />
      ))}
    </Tabs>
  );
}

const tabsLook = {
  borderBottom: 1,
  borderColor: "divider",
  // All of them fit a telephone.
  "& .MuiTab-root": { minWidth: { xs: 0, sm: 90 }, px: { xs: 1.25, sm: 2 } },
};

interface TabContentProps extends ManagedTeamProps {
  tab: string;
  figures: CreditFigures | null | undefined;
}

function TabContent({ tab, teamId, viewer, canChange, figures }: TabContentProps) {
  switch (tab) {
    case "settings":
      return (
        <Stack spacing={2} sx={{ maxWidth: 800 }}>
          {figures && <TeamCredits figures={figures} />}
          <CreditsToggle teamId={teamId} canChange={canChange} />
          <RunningLowMailToggle teamId={teamId} canChange={canChange} />
          {viewer.isSuperadmin && <LowCreditsThreshold teamId={teamId} />}
        </Stack>
      );
    case "usage":
      return <UsagePage teamId={teamId} />;
    case "notices":
      return <NoticesTable teamId={teamId} isSuperadmin={viewer.isSuperadmin} />;
    case "purchases":
      if (figures === undefined) return <Loading />;
      return figures ? (
        <CreditPurchasesTable teamId={teamId} canChange={viewer.isSuperadmin} />
      ) : (
        <NotAllowed />
      );
    default:
      return <NotAllowed>There is no such page.</NotAllowed>;
  }
}

function TeamCredits({ figures: { remaining, purchased, used } }: { figures: CreditFigures }) {
  return (
    <FigureList
      label="Credits"
      figures={[
        { name: "Remaining credits", value: remaining },
        { name: "Purchased", value: purchased },
        { name: "Used", value: used },
      ]}
    />
  );
}
