import { Box, Link, Typography } from "@mui/material";
import { DataGrid, type GridColDef, type GridSortModel } from "@mui/x-data-grid";
import { useMemo } from "react";
import { Link as RouterLink } from "react-router";
import { formatMoment, formatNumber } from "../hooks/format";
import {
  daysLeft,
  TEAMS_PER_PAGE,
  type TeamList,
  type TeamOrder,
  type TeamRowFragment,
} from "../hooks/useTeamList";
import { isBlocked } from "../hooks/useTeamStatus";
import { CreditStatusChip } from "./CreditStatusChip";
import { cspNonce } from "./nonce";
import { Sparkline } from "./Sparkline";
import { TeamActions, type TeamDialog } from "./TeamActions";

interface Props {
  list: TeamList;
  teams: TeamRowFragment[];
  orderBy: TeamOrder;
  page: number;
  onOrder: (orderBy: TeamOrder) => void;
  onPage: (page: number) => void;
  onOpen: (team: TeamRowFragment, dialog: TeamDialog) => void;
}

/** Names of columns, as TeamOrder has them. */
const ORDERS = ["NAME", "REMAINING", "PURCHASED", "USED", "LAST_PURCHASE"];

export function TeamTable({ list, teams, orderBy, page, onOrder, onPage, onOpen }: Props) {
  // To the grid, another object is another wish: a new order begins on the first page.
  const columns = useMemo(() => columnsOf(list.usage, onOpen), [list.usage, onOpen]);
  const sortModel = useMemo(() => [sortOf(orderBy)], [orderBy]);
  const paginationModel = useMemo(() => ({ page, pageSize: TEAMS_PER_PAGE }), [page]);
  return (
    <Box sx={{ height: "calc(100vh - 250px)", minHeight: 360 }}>
      <DataGrid
        aria-label="Teams"
        nonce={cspNonce()}
        rows={teams}
        columns={columns}
        rowCount={list.total ?? 0}
        loading={list.isLoading}
        paginationMode="server"
        pageSizeOptions={[TEAMS_PER_PAGE]}
        paginationModel={paginationModel}
        onPaginationModelChange={(model) => onPage(model.page)}
        sortingMode="server"
        sortingOrder={["asc", "desc"]}
        sortModel={sortModel}
        onSortModelChange={(model) => onOrder(orderOf(model))}
        getRowClassName={({ row }) => (isBlocked(row) ? "blocked" : "")}
        disableColumnFilter
        disableColumnMenu
        disableRowSelectionOnClick
        sx={{ bgcolor: "background.paper", ...rowLook }}
      />
    </Box>
  );
}

function sortOf(orderBy: TeamOrder): GridSortModel[number] {
  const [, field = "NAME", direction] = orderBy.match(/^(.*)_(ASC|DESC)$/) ?? [];
  return { field, sort: direction === "DESC" ? "desc" : "asc" };
}

function orderOf([sort]: GridSortModel): TeamOrder {
  if (!sort || !ORDERS.includes(sort.field)) return "NAME_ASC";
  return `${sort.field}_${sort.sort === "desc" ? "DESC" : "ASC"}` as TeamOrder;
}

function columnsOf(
  usage: TeamList["usage"],
  onOpen: Props["onOpen"],
): GridColDef<TeamRowFragment>[] {
  const credits = (
    field: string,
    headerName: string,
    creditsOf: (team: TeamRowFragment) => number | null,
  ): GridColDef<TeamRowFragment> => ({
    field,
    headerName,
    type: "number",
    width: 110,
    valueGetter: (_, team) => creditsOf(team),
    valueFormatter: (value: number | null) => (value === null ? "" : formatNumber(value)),
  });
  return [
    {
      field: "NAME",
      headerName: "Team",
      flex: 1,
      minWidth: 190,
      renderCell: ({ row }) => (
        <Link component={RouterLink} to={`/team/${row.id}`}>
          {row.name}
        </Link>
      ),
    },
    {
      field: "creditStatus",
      headerName: "Status",
      width: 135,
      sortable: false,
      renderCell: ({ row }) => (
        <CreditStatusChip status={row.creditStatus} isRunningLow={row.isRunningLow ?? false} />
      ),
    },
    credits("REMAINING", "Remaining", (team) => team.remainingCredits),
    credits("PURCHASED", "Purchased", (team) => team.purchasedCredits),
    credits("USED", "Used", (team) => team.usedCredits),
    {
      field: "LAST_PURCHASE",
      headerName: "Last purchase",
      width: 190,
      renderCell: ({ row }) => <LastPurchase team={row} />,
    },
    {
      field: "usage",
      headerName: "Last 14 days",
      width: 125,
      sortable: false,
      renderCell: ({ row }) => <Sparkline usage={usage.get(row.id) ?? []} />,
    },
    {
      field: "daysLeft",
      headerName: "Days left",
      description: "At the pace of the last 14 days",
      type: "number",
      width: 90,
      sortable: false,
      valueGetter: (_, team) => formatDaysLeft(daysLeft(team, usage.get(team.id) ?? [])),
    },
    {
      field: "actions",
      headerName: "Actions",
      width: 105,
      sortable: false,
      renderCell: ({ row }) => (
        <TeamActions name={row.name} onOpen={(dialog) => onOpen(row, dialog)} />
      ),
    },
  ];
}

export function LastPurchase({ team }: { team: TeamRowFragment }) {
  const last = team.creditPurchases?.[0];
  if (!last)
    return (
      <Typography variant="body2" color="text.secondary">
        None yet
      </Typography>
    );
  return (
    <Box sx={{ lineHeight: 1.3 }}>
      <Box>{formatNumber(last.amount)}</Box>
      <Typography variant="caption" color="text.secondary">
        {formatMoment(last.createdAt)}
      </Typography>
    </Box>
  );
}

const MOST_DAYS = 999;

export function formatDaysLeft(days: number | null): string {
  if (days === null) return "–";
  if (days > MOST_DAYS) return `over ${formatNumber(MOST_DAYS)}`;
  return formatNumber(Math.floor(days));
}

const rowLook = {
  "& .blocked": { bgcolor: "blocked.background", "&:hover": { bgcolor: "blocked.background" } },
  "& .MuiDataGrid-cell": { display: "flex", alignItems: "center" },
  "& .MuiDataGrid-cell--textRight": { justifyContent: "flex-end" },
  "& .MuiDataGrid-columnHeaderTitle": { fontWeight: 600 },
};
