import {
  Alert,
  Paper,
  Skeleton,
  Stack,
  TablePagination,
  TextField,
  ToggleButton,
  ToggleButtonGroup,
  Typography,
} from "@mui/material";
import { lazy, Suspense, useState } from "react";
import { useSearchParams } from "react-router";
import type { UsageBy } from "../graphql/generated";
import { refusalOf } from "../hooks/errors";
import { formatDay, formatMonth, formatShortDay } from "../hooks/format";
import { choiceIn, shortened, today, type UsageChoice } from "../hooks/period";
import { MEASURES, totalOf, type UsageRow, usageFile, useUsage } from "../hooks/useUsage";
import { FigureList } from "./FigureList";
import { PeriodPicker } from "./PeriodPicker";
import { Loading, Problem } from "./States";
import { UsageTable } from "./UsageTable";
import { UsageTools } from "./UsageTools";

const UsageChart = lazy(() => import("./UsageChart").catch(() => ({ default: NoChart })));

const ROWS_IN_A_PAGE = 100;
const BARS_OF_CAMPAIGNS = 10;
const BYS: { by: UsageBy; name: string; heading: string }[] = [
  { by: "DAY", name: "By day", heading: "Day (UTC)" },
  { by: "MONTH", name: "By month", heading: "Month (UTC)" },
  { by: "CAMPAIGN", name: "By campaign", heading: "Campaign" },
];

/** What a team texted: chart, table and file. The address holds what was chosen. */
export function UsagePage({ teamId }: { teamId: string }) {
  const [address, setAddress] = useSearchParams();
  const [until] = useState(today);
  const choice = choiceIn(address, until);
  const { rows, isLoading, error, refresh } = useUsage(teamId, choice);
  const choose = (wanted: UsageChoice) => setAddress({ ...wanted }, { replace: true });
  return (
    <Stack spacing={2}>
      <Stack direction={{ xs: "column", md: "row" }} sx={{ gap: 2, alignItems: "flex-start" }}>
        <PeriodPicker choice={choice} today={until} onChange={choose} />
        <UsageTools file={usageFile(teamId, choice)} isLoading={isLoading} onRefresh={refresh} />
      </Stack>
      <ToggleButtonGroup
        exclusive
        size="small"
        aria-label="A row for each"
        value={choice.by}
        onChange={(_, by: UsageBy | null) => by && choose(shortened({ ...choice, by }))}
      >
        {BYS.map(({ by, name }) => (
          <ToggleButton key={by} value={by}>
            {name}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      {rows && Boolean(error) && <Alert severity="error">{refusalOf(error).sentence}</Alert>}
      {rows ? (
        <Usage
          key={`${choice.from} ${choice.to} ${choice.by}`}
          rows={rows}
          by={choice.by}
          isLoading={isLoading}
        />
      ) : (
        <NoRowsYet error={error} onRetry={refresh} />
      )}
    </Stack>
  );
}

function NoRowsYet({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  return error ? <Problem error={error} onRetry={onRetry} /> : <Loading label="Loading usage" />;
}

interface UsageProps {
  rows: readonly UsageRow[];
  by: UsageBy;
  isLoading: boolean;
}

function Usage({ rows, by, isLoading }: UsageProps) {
  const [page, setPage] = useState(0);
  const total = totalOf(rows);
  if (total.texts === 0) return <NoTexts />;
  // The newest on top, as in all lists; the chart has it on the right.
  const listed = by === "CAMPAIGN" ? rows : rows.toReversed();
  const first = page * ROWS_IN_A_PAGE;
  const named = listed
    .slice(first, first + ROWS_IN_A_PAGE)
    .map((row, index) => ({ key: keyOf(row, index), name: nameOf(row), figures: row }));
  return (
    <>
      <FigureList
        label="In the whole period"
        figures={MEASURES.flatMap(({ name, of }) => {
          const value = of(total);
          return value == null ? [] : [{ name, value }];
        })}
      />
      <ChartOf rows={rows} by={by} />
      <UsageTable
        label="Usage"
        heading={BYS.find((one) => one.by === by)?.heading ?? ""}
        rows={named}
        total={{ key: "total", name: "Total", figures: total }}
        isLoading={isLoading}
      />
      {rows.length > ROWS_IN_A_PAGE && (
        <TablePagination
          component="div"
          count={rows.length}
          page={page}
          rowsPerPage={ROWS_IN_A_PAGE}
          rowsPerPageOptions={[ROWS_IN_A_PAGE]}
          onPageChange={(_, wanted) => setPage(wanted)}
        />
      )}
    </>
  );
}

function ChartOf({ rows, by }: { rows: readonly UsageRow[]; by: UsageBy }) {
  const [measureName, setMeasureName] = useState("Segments");
  const visible = MEASURES.filter(({ of }) => rows.some((row) => of(row) != null));
  const measure = visible.find(({ name }) => name === measureName);
  if (!measure) return null;
  const bars = rows.map((row, index) => ({
    key: keyOf(row, index),
    name: nameOf(row),
    shortName: shortNameOf(row),
    value: measure.of(row) ?? 0,
  }));
  const unit = BYS.find((one) => one.by === by)?.name.toLowerCase();
  const isOfCampaigns = by === "CAMPAIGN";
  const highest = bars.toSorted((one, other) => other.value - one.value);
  return (
    <Paper
      component="figure"
      aria-label={`Chart of ${measureName} ${unit}. The table below has the same figures.`}
      variant="outlined"
      sx={{ m: 0, p: { xs: 1, sm: 2 } }}
    >
      <TextField
        select
        size="small"
        label="Chart of"
        value={measureName}
        onChange={({ target }) => setMeasureName(target.value)}
        slotProps={{ select: { native: true } }}
        helperText={
          isOfCampaigns && bars.length > BARS_OF_CAMPAIGNS
            ? `The ${BARS_OF_CAMPAIGNS} campaigns with the most.`
            : undefined
        }
        sx={{ m: 1 }}
      >
        {visible.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </TextField>
      <Suspense fallback={<Skeleton variant="rounded" height={280} />}>
        <UsageChart
          bars={isOfCampaigns ? highest.slice(0, BARS_OF_CAMPAIGNS) : bars}
          measure={measureName}
          isHorizontal={isOfCampaigns}
        />
      </Suspense>
    </Paper>
  );
}

function NoTexts() {
  return (
    <Paper variant="outlined" sx={{ p: 4, textAlign: "center" }}>
      <Typography>No texts in this period.</Typography>
      <Typography color="text.secondary">Choose a longer one to see more.</Typography>
    </Paper>
  );
}

function NoChart() {
  return <Typography sx={{ p: 1 }}>The chart couldn't be loaded. The table has it all.</Typography>;
}

function keyOf({ day, month, campaign }: UsageRow, index: number): string {
  return day ?? month ?? campaign?.id ?? `gone ${index}`;
}

function nameOf({ day, month, campaign }: UsageRow): string {
  if (day) return formatDay(day);
  return month ? formatMonth(month) : (campaign?.title ?? "A campaign that is gone");
}

/** Of a campaign both ends: titles often begin alike. */
function shortNameOf(row: UsageRow): string {
  if (row.day) return formatShortDay(row.day);
  const name = nameOf(row);
  return name.length > 18 ? `${name.slice(0, 6)}…${name.slice(-11)}` : name;
}
