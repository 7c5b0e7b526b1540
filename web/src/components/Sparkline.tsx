import { Box } from "@mui/material";
import { formatCount, formatDay } from "../hooks/format";
import type { UsageOfDay } from "../hooks/useTeamList";

const HEIGHT = 24;
const STEP = 7;
const BAR = 5;

/** Segments of each day as bars, and in words for who doesn't see them. */
export function Sparkline({ usage }: { usage: UsageOfDay[] }) {
  const most = Math.max(...usage.map(({ segments }) => segments), 1);
  return (
    <Box
      component="svg"
      role="img"
      aria-label={wordsOf(usage)}
      viewBox={`0 0 ${usage.length * STEP} ${HEIGHT}`}
      sx={{ width: usage.length * STEP, height: HEIGHT, fill: "currentColor", opacity: 0.75 }}
    >
      {usage.map(({ day, segments }, position) => {
        const height = segments > 0 ? Math.max(2, (segments / most) * HEIGHT) : 1;
        return (
          <rect
            key={day}
            x={position * STEP}
            y={HEIGHT - height}
            width={BAR}
            height={height}
            rx={1}
          />
        );
      })}
    </Box>
  );
}

function wordsOf(usage: UsageOfDay[]): string {
  const sum = usage.reduce((total, { segments }) => total + segments, 0);
  if (sum === 0) return "No texts in the last 14 days";
  const top = usage.reduce((one, other) => (other.segments > one.segments ? other : one));
  const most = `${formatCount(top.segments, "segment")} on ${formatDay(top.day ?? "")}`;
  return `${formatCount(sum, "segment")} in the last 14 days, at most ${most}`;
}
