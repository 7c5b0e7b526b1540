import DownloadIcon from "@mui/icons-material/Download";
import SyncIcon from "@mui/icons-material/Sync";
import SyncProblemIcon from "@mui/icons-material/SyncProblem";
import {
  Box,
  Button,
  Chip,
  Stack,
  TextField,
  ToggleButton,
  ToggleButtonGroup,
  Typography,
  useMediaQuery,
} from "@mui/material";
import type { Theme } from "@mui/material/styles";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { codeOf } from "../hooks/errors";
import { formatCount, formatNumber } from "../hooks/format";
import { useDebounced } from "../hooks/useDebounced";
import {
  csvAddress,
  type Show,
  type TeamList,
  type TeamOrder,
  type TeamRowFragment,
  type TeamWishes,
  useTeamList,
} from "../hooks/useTeamList";
import { AddCreditsDialog } from "./AddCreditsDialog";
import { CreditPurchasesDialog } from "./CreditPurchasesDialog";
import { Loading, Problem } from "./States";
import type { TeamDialog } from "./TeamActions";
import { TeamCards } from "./TeamCards";
import { TeamTable } from "./TeamTable";
import { useTitle } from "./useTitle";

const TYPING_MILLISECONDS = 300;
const SHOWS: Show[] = ["all", "blocked", "low", "off"];

/** All teams of the account and their credits. For superadmins. */
export default function CreditsPage() {
  useTitle("Credits");
  const [wishes, setWishes] = useWishes();
  const search = useDebounced(wishes.search, TYPING_MILLISECONDS);
  const list = useTeamList({ ...wishes, search });
  const [opened, setOpened] = useState<{ team: TeamRowFragment; dialog: TeamDialog } | null>(null);
  const isNarrow = useMediaQuery((theme: Theme) => theme.breakpoints.down("md"));

  const isLost = ["FORBIDDEN", "UNAUTHENTICATED"].includes(codeOf(list.error) ?? "");
  if (list.error && (isLost || list.total === null)) {
    return <Problem error={list.error} onRetry={list.refetch} />;
  }
  const open = (team: TeamRowFragment, dialog: TeamDialog) => setOpened({ team, dialog });
  const close = () => setOpened(null);
  const shared = {
    list,
    page: wishes.page,
    onPage: (page: number) => setWishes({ page }),
    onOpen: open,
  };
  return (
    <Stack spacing={2}>
      <Heading list={list} />
      <Filters wishes={wishes} list={list} onChange={(wish) => setWishes({ ...wish, page: 0 })} />
      {list.total === null && <Loading label="Loading the teams" />}
      {list.total !== null && isNarrow && <TeamCards {...shared} />}
      {list.total !== null && !isNarrow && (
        <TeamTable
          {...shared}
          orderBy={wishes.orderBy}
          onOrder={(orderBy) => setWishes({ orderBy, page: 0 })}
        />
      )}
      {opened?.dialog === "add" && <AddCreditsDialog team={opened.team} onClose={close} />}
      {opened?.dialog === "purchases" && (
        <CreditPurchasesDialog team={opened.team} onClose={close} />
      )}
    </Stack>
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

interface FiltersProps {
  wishes: TeamWishes;
  list: TeamList;
  onChange: (wish: Partial<TeamWishes>) => void;
}

function Filters({ wishes, list: { counts }, onChange }: FiltersProps) {
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
        onChange={(event) => onChange({ search: event.target.value })}
      />
      <ToggleButtonGroup
        exclusive
        size="small"
        value={show}
        aria-label="Which teams"
        onChange={(_, next: Show | null) => onChange({ show: next ?? "all" })}
        sx={{ flexWrap: "wrap" }}
      >
        {SHOWS.map((value) => (
          <ToggleButton key={value} value={value}>
            {labels[value]}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      <Box sx={{ flexGrow: 1 }} />
      <Button startIcon={<DownloadIcon />} href={csvAddress(wishes)} download>
        CSV
      </Button>
    </Stack>
  );
}

/** What is to be seen stands in the address: it can be kept, passed on and gone back to. */
function useWishes(): [TeamWishes, (wish: Partial<TeamWishes>) => void] {
  const [query, setQuery] = useSearchParams();
  const show = query.get("show") as Show | null;
  const wishes: TeamWishes = {
    search: query.get("search") ?? "",
    show: show && SHOWS.includes(show) ? show : "all",
    orderBy: orderIn(query.get("order")),
    page: Math.max(0, Number.parseInt(query.get("page") ?? "1", 10) - 1 || 0),
  };
  function setWishes(wish: Partial<TeamWishes>) {
    const { search, show, orderBy, page } = { ...wishes, ...wish };
    const next = { search, show, order: orderBy, page: String(page + 1) };
    const usual: Record<string, string> = { search: "", show: "all", order: "NAME_ASC", page: "1" };
    const said = Object.entries(next).filter(([name, value]) => value !== usual[name]);
    setQuery(said, { replace: "search" in wish });
  }
  return [wishes, setWishes];
}

function orderIn(value: string | null): TeamOrder {
  const isOrder = /^(NAME|REMAINING|PURCHASED|USED|LAST_PURCHASE)_(ASC|DESC)$/.test(value ?? "");
  return isOrder ? (value as TeamOrder) : "NAME_ASC";
}
