import { Alert, Button, Link, Paper, Stack, TablePagination, Typography } from "@mui/material";
import { useState } from "react";
import { Link as RouterLink, useSearchParams } from "react-router";
import { refusalOf } from "../hooks/errors";
import { formatCount } from "../hooks/format";
import { choiceIn, type Period, today } from "../hooks/period";
import {
  type AccountUsage,
  accountUsageFile,
  TEAMS_IN_A_PAGE,
  useAccountUsage,
} from "../hooks/useAccountUsage";
import { totalOf } from "../hooks/useUsage";
import { PeriodPicker } from "./PeriodPicker";
import { Loading, Problem, TitleLevel } from "./States";
import { UsageTable } from "./UsageTable";
import { UsageTools } from "./UsageTools";
import { useTitle } from "./useTitle";

/** What all teams texted, for superadmins. The address holds the period and the page. */
export default function AccountUsagePage() {
  const [address, setAddress] = useSearchParams();
  useTitle("Usage of all teams");
  const [until] = useState(today);
  const { from, to } = choiceIn(address, until);
  const page = Math.max(0, Math.trunc(Number(address.get("page") ?? 1)) - 1 || 0);
  const period = { from, to };
  const { usage, isLoading, error, refresh } = useAccountUsage(period, page);
  return (
    <Stack spacing={2}>
      <Typography variant="h1">Usage of all teams</Typography>
      <Stack direction={{ xs: "column", md: "row" }} sx={{ gap: 2, alignItems: "flex-start" }}>
        <PeriodPicker
          choice={{ ...period, by: "DAY" }}
          today={until}
          onChange={(wanted) => setAddress({ from: wanted.from, to: wanted.to }, { replace: true })}
        />
        <UsageTools file={accountUsageFile(period)} isLoading={isLoading} onRefresh={refresh} />
      </Stack>
      {usage && Boolean(error) && <Alert severity="error">{refusalOf(error).sentence}</Alert>}
      {usage ? (
        <Teams
          usage={usage}
          period={period}
          page={page}
          isLoading={isLoading}
          onPage={(wanted) => setAddress({ ...period, page: String(wanted + 1) })}
        />
      ) : error ? (
        <TitleLevel value="h2">
          <Problem error={error} onRetry={refresh} />
        </TitleLevel>
      ) : (
        <Loading label="Loading usage" />
      )}
    </Stack>
  );
}

interface TeamsProps {
  usage: AccountUsage;
  period: Period;
  page: number;
  isLoading: boolean;
  onPage: (page: number) => void;
}

function Teams({ usage: { rows, pageInfo }, period, page, isLoading, onPage }: TeamsProps) {
  if (pageInfo.total === 0) {
    return (
      <Paper variant="outlined" sx={{ p: 4, textAlign: "center" }}>
        <Typography>No team texted in this period.</Typography>
      </Paper>
    );
  }
  if (rows.length === 0) {
    return (
      <Paper variant="outlined" sx={{ p: 4, textAlign: "center" }}>
        <Typography gutterBottom>There are not so many pages.</Typography>
        <Button onClick={() => onPage(0)}>To the first page</Button>
      </Paper>
    );
  }
  const count = formatCount(rows.length, "team");
  const isAll = rows.length === pageInfo.total;
  return (
    <>
      <Typography color="text.secondary">
        Teams that texted, by name. Choose one to see its days and campaigns.
      </Typography>
      <UsageTable
        label="Usage of teams"
        heading="Team"
        rows={rows.map(({ team, ...figures }) => ({
          key: team.id,
          name: (
            <Link
              component={RouterLink}
              to={`/team/${team.id}/usage?${new URLSearchParams({ ...period })}`}
            >
              {team.name}
            </Link>
          ),
          figures,
        }))}
        total={{
          key: "total",
          name: isAll ? `Total of ${count}` : `Total of the ${count} shown`,
          figures: totalOf(rows),
        }}
        isLoading={isLoading}
      />
      {!isAll && (
        <TablePagination
          component="div"
          count={pageInfo.total}
          page={page}
          rowsPerPage={TEAMS_IN_A_PAGE}
          rowsPerPageOptions={[TEAMS_IN_A_PAGE]}
          onPageChange={(_, wanted) => onPage(wanted)}
        />
      )}
    </>
  );
}
