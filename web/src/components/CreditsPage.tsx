import DownloadIcon from "@mui/icons-material/Download";
import SyncIcon from "@mui/icons-material/Sync";
import SyncProblemIcon from "@mui/icons-material/SyncProblem";
import {
  Box,
  Button,
  Chip,
  Paper,
  Stack,
  TextField,
  ToggleButton,
  ToggleButtonGroup,
  Typography,
  useMediaQuery,
} from "@mui/material";
import type { Theme } from "@mui/material/styles";
import { useCallback, useEffect, useState } from "react";
import { useSearchParams } from "react-router";
import { codeOf } from "../hooks/errors";
import { formatCount, formatNumber } from "../hooks/format";
import { useDebounced } from "../hooks/useDebounced";
import {
  csvAddress,
  type Show,
  TEAMS_PER_PAGE,
  type TeamList,
  type TeamOrder,
  type TeamRowFragment,
  type TeamWishes,
  useTeamList,
} from "../hooks/useTeamList";
import { AddCreditsDialog } from "./AddCreditsDialog";
import { CreditPurchasesDialog } from "./CreditPurchasesDialog";
import { Loading, Problem, TitleLevel } from "./States";
import type { TeamDialog } from "./TeamActions";
import { TeamCards } from "./TeamCards";
import { TeamTable } from "./TeamTable";
import { useKeptFocus } from "./useKeptFocus";
import { useTitle } from "./useTitle";

const TYPING_MILLISECONDS = 300;
const SHOWS: Show[] = ["all", "blocked", "low", "off"];

/** `replace`: going back doesn't lead to what was wished for before. */
type ChangeWishes = (wish: Partial<TeamWishes>, options?: { replace: boolean }) => void;

interface Opened {
  team: TeamRowFragment;
  dialog: TeamDialog;
}

/** All teams of the account and their credits. For superadmins. */
export default function CreditsPage() {
  useTitle("Credits");
  const [wishes, setWishes] = useWishes();
  const search = useDebounced(wishes.search, TYPING_MILLISECONDS);
  const list = useTeamList({ ...wishes, search });
  const [opened, setOpened] = useState<Opened | null>(null);
  const open = useCallback(
    (team: TeamRowFragment, dialog: TeamDialog) => setOpened({ team, dialog }),
    [],
  );
  const place = useKeptFocus(list.teams, opened);
  const isNarrow = useMediaQuery((theme: Theme) => theme.breakpoints.down("md"));
  const shared = { wishes, list, isNarrow, onChange: setWishes };

  if (LOSSES.has(codeOf(list.error))) return <Problem error={list.error} />;
  return (
    <Stack spacing={2}>
      <Heading list={list} />
      <Filters {...shared} />
      <Box ref={place} tabIndex={-1} sx={{ outline: "none" }}>
        <Teams {...shared} onOpen={open} />
      </Box>
      {opened && <OpenedDialog {...opened} onClose={() => setOpened(null)} />}
    </Stack>
  );
}

/** The viewer is signed out, or no longer a superadmin. */
const LOSSES: ReadonlySet<string | null> = new Set(["FORBIDDEN", "UNAUTHENTICATED"]);

function OpenedDialog({ team, dialog, onClose }: Opened & { onClose: () => void }) {
  if (dialog === "add") return <AddCreditsDialog team={team} onClose={onClose} />;
  return <CreditPurchasesDialog team={team} onClose={onClose} />;
}

interface PartProps {
  wishes: TeamWishes;
  list: TeamList;
  isNarrow: boolean;
  onChange: ChangeWishes;
}

interface TeamsProps extends PartProps {
  onOpen: (team: TeamRowFragment, dialog: TeamDialog) => void;
}

function Teams({ wishes: { page, orderBy }, list, isNarrow, onChange, onOpen }: TeamsProps) {
  const { teams, total, counts, error, isLoading } = list;
  const last = Math.max(Math.ceil((total ?? 0) / TEAMS_PER_PAGE) - 1, 0);
  const isBeyond = teams !== null && !isLoading && page > last;
  useEffect(() => {
    if (isBeyond) onChange({ page: last }, { replace: true });
  });

  if (!teams && error) {
    return (
      <TitleLevel value="h2">
        <Problem error={error} onRetry={list.refetch} />
      </TitleLevel>
    );
  }
  if (!teams || isBeyond) return <Loading label="Loading the teams" />;
  if (teams.length === 0 && !isLoading) return <NoTeams areThereAny={counts?.all !== 0} />;
  const onPage = (page: number) => onChange({ page });
  const shared = { list, teams, page, onPage, onOpen };
  if (isNarrow) return <TeamCards {...shared} pages={last + 1} />;
  const onOrder = (orderBy: TeamOrder) => onChange({ orderBy, page: 0 });
  return <TeamTable {...shared} orderBy={orderBy} onOrder={onOrder} />;
}

function NoTeams({ areThereAny }: { areThereAny: boolean }) {
  return (
    <Paper variant="outlined" sx={{ p: 4, textAlign: "center" }}>
      <Typography role="status">
        {areThereAny
          ? "No team is like that. Change the search or the filter."
          : "There are no teams yet. They appear here as soon as Spoke has an organization."}
      </Typography>
    </Paper>
  );
}

function Heading({ list: { counts, isLive } }: { list: TeamList }) {
  return (
    <Stack direction="row" sx={{ alignItems: "center", flexWrap: "wrap", gap: 1.5 }}>
      <Typography variant="h1">Credits</Typography>
      {counts && (
        <Typography color="text.secondary" role="status">
          {formatCount(counts.all, "team")}, {formatNumber(counts.blocked)} blocked,{" "}
          {formatNumber(counts.low)} running low
        </Typography>
      )}
      <Box sx={{ flexGrow: 1 }} />
      <Chip
        size="small"
        variant="outlined"
        icon={isLive ? <SyncIcon /> : <SyncProblemIcon />}
        label={isLive ? "Live" : "Connecting, updated every 10 seconds"}
      />
    </Stack>
  );
}

function Filters({ wishes, list: { counts }, isNarrow, onChange }: PartProps) {
  const { search, show } = wishes;
  const labels: Record<Show, string> = {
    all: "All",
    blocked: counts ? `Blocked (${formatNumber(counts.blocked)})` : "Blocked",
    low: counts ? `Running low (${formatNumber(counts.low)})` : "Running low",
    off: "Credits off",
  };
  return (
    <Stack direction="row" sx={{ flexWrap: "wrap", gap: 1.5, alignItems: "center" }}>
      <TextField
        label="Search teams"
        type="search"
        size="small"
        value={search}
        onChange={(event) => onChange({ search: event.target.value, page: 0 })}
      />
      <ToggleButtonGroup
        exclusive
        size="small"
        value={show}
        aria-label="Which teams"
        onChange={(_, next: Show | null) => onChange({ show: next ?? "all", page: 0 })}
        sx={{ flexWrap: "wrap" }}
      >
        {SHOWS.map((value) => (
          <ToggleButton key={value} value={value}>
            {labels[value]}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      {isNarrow && (
        <TextField
          select
          label="Sort by"
          size="small"
          value={wishes.orderBy}
          onChange={({ target }) => onChange({ orderBy: orderIn(target.value), page: 0 })}
          slotProps={{ select: { native: true } }}
        >
          {ORDERS.map(([orderBy, name]) => (
            <option key={orderBy} value={orderBy}>
              {name}
            </option>
          ))}
        </TextField>
      )}
      <Box sx={{ flexGrow: 1 }} />
      <Button startIcon={<DownloadIcon />} href={csvAddress(wishes)} download>
        Download CSV
      </Button>
    </Stack>
  );
}

/** What is to be seen stands in the address: it can be kept, passed on and gone back to. */
function useWishes(): [TeamWishes, ChangeWishes] {
  const [query, setQuery] = useSearchParams();
  const show = query.get("show") as Show | null;
  const wishes: TeamWishes = {
    search: query.get("search") ?? "",
    show: show && SHOWS.includes(show) ? show : "all",
    orderBy: orderIn(query.get("order")),
    page: Math.max(0, Number.parseInt(query.get("page") ?? "1", 10) - 1 || 0),
  };
  const setWishes: ChangeWishes = (wish, { replace } = { replace: "search" in wish }) => {
    const { search, show, orderBy, page } = { ...wishes, ...wish };
    const next = { search, show, order: orderBy, page: String(page + 1) };
    const usual: Record<string, string> = { search: "", show: "all", order: "NAME_ASC", page: "1" };
    const said = Object.entries(next).filter(([name, value]) => value !== usual[name]);
    setQuery(said, { replace });
  };
  return [wishes, setWishes];
}

const ORDERS: [TeamOrder, string][] = [
  ["NAME_ASC", "Name, A to Z"],
  ["NAME_DESC", "Name, Z to A"],
  ["REMAINING_ASC", "Remaining, least first"],
  ["REMAINING_DESC", "Remaining, most first"],
  ["PURCHASED_DESC", "Purchased, most first"],
  ["PURCHASED_ASC", "Purchased, least first"],
  ["USED_DESC", "Used, most first"],
  ["USED_ASC", "Used, least first"],
  ["LAST_PURCHASE_DESC", "Last purchase, newest first"],
  ["LAST_PURCHASE_ASC", "Last purchase, oldest first"],
];

function orderIn(value: string | null): TeamOrder {
  return ORDERS.find(([orderBy]) => orderBy === value)?.[0] ?? "NAME_ASC";
}
