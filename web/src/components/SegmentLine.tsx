import { Typography } from "@mui/material";
import { formatCount, formatNumber } from "../hooks/format";
import type { SegmentCount } from "../hooks/useSegmentCount";

/** What the text in the box will cost. */
export function SegmentLine({ count }: { count: SegmentCount | null }) {
  return (
    <Typography variant="body2" color="text.secondary" role="status" sx={{ minHeight: 20 }}>
      {count && sentenceOf(count)}
    </Typography>
  );
}

function sentenceOf(count: SegmentCount): string {
  const { segmentsPerText, creditsPerText, charactersLeftInSegment } = count;
  const cost = `${formatCount(segmentsPerText, "segment")}, ${formatCount(creditsPerText, "credit")}`;
  const left = `${formatNumber(charactersLeftInSegment)} characters left in this segment`;
  const special = count.charactersForcingUcs2.slice(0, 5).join(" ");
  return `${cost} · ${left}${special && ` · made longer by ${special}`}`;
}
