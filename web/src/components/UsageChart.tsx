import { Box, useTheme } from "@mui/material";
import { BarChart } from "@mui/x-charts/BarChart";
import { formatCompact, formatNumber } from "../hooks/format";

export interface Bar {
  key: string;
  /** In full, and as short as it may be. */
  name: string;
  shortName: string;
  value: number;
}

export interface UsageChartProps {
  bars: Bar[];
  /** What the bars count. */
  measure: string;
  /** From left to right, for names that are long. */
  isHorizontal: boolean;
}

const HEIGHT = 280;
const ROW_HEIGHT = 36;
const NAME_WIDTH = 140;
const MARGIN = { top: 12, right: 16, bottom: 0, left: 0 };
/** The names of Poppins are higher than the usual ones, and would be left out. */
const NAME_HEIGHT = 36;

// The library shows which bar has the focus, but not that the chart has it.
const look = { borderRadius: 1, "&:focus-within": { outline: 2, outlineColor: "primary.main" } };

/** The only file that needs @mui/x-charts: it is to be loaded when it is wanted. */
export default function UsageChart({ bars, measure, isHorizontal }: UsageChartProps) {
  const { vars } = useTheme();
  const byKey = new Map(bars.map((bar) => [bar.key, bar]));
  const names = {
    scaleType: "band" as const,
    disableTicks: true,
    data: bars.map(({ key }) => key),
    valueFormatter: (key: string, { location }: { location: string }) => {
      const bar = byKey.get(key);
      return (location === "tick" ? bar?.shortName : bar?.name) ?? "";
    },
  };
  const values = { valueFormatter: (value: number) => formatCompact(value), tickMinStep: 1 };
  return (
    <Box sx={look}>
      <BarChart
        hideLegend
        borderRadius={3}
        margin={MARGIN}
        height={isHorizontal ? bars.length * ROW_HEIGHT + NAME_HEIGHT : HEIGHT}
        layout={isHorizontal ? "horizontal" : "vertical"}
        xAxis={[{ ...(isHorizontal ? values : names), height: NAME_HEIGHT }]}
        yAxis={[isHorizontal ? { ...names, width: NAME_WIDTH } : { ...values, width: 48 }]}
        grid={isHorizontal ? { vertical: true } : { horizontal: true }}
        series={[
          {
            data: bars.map(({ value }) => value),
            label: measure,
            color: vars?.palette.primary.main,
            valueFormatter: (value) => formatNumber(value ?? 0),
          },
        ]}
      />
    </Box>
  );
}
