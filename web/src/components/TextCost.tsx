import { Alert, Box, Button, Typography } from "@mui/material";
import type { CountedTextFragment, Encoding } from "../graphql/generated";
import { nameOf } from "../hooks/characterNames";
import { formatCount } from "../hooks/format";
import { gentleFix } from "../hooks/gentleFix";

const ENCODINGS: Record<Encoding, string> = {
  GSM_7: "Plain characters (GSM-7): 160 fit in one segment, 153 in each of several.",
  UCS_2: "Not only plain characters (UCS-2): 70 fit in one segment, 67 in each of several.",
};

interface Props {
  counted: CountedTextFragment;
  /** `counted` is the dearest text of a campaign, which can't be changed here. */
  isCampaign: boolean;
  /** Takes a text without what made it longer. */
  onFix: (text: string) => void;
}

/** What one text costs, and why. */
export function TextCost({ counted, isCampaign, onFix }: Props) {
  const { segmentsPerText, creditsPerText, charactersLeftInSegment } = counted;
  const whose = isCampaign ? "The dearest text" : "A text";
  // Only texts with media cost something else than their segments.
  if (creditsPerText !== segmentsPerText) {
    return (
      <Typography variant="body2">
        {whose} has a picture (MMS): it costs{" "}
        <strong>{formatCount(creditsPerText, "credit")}</strong>, whatever its length.
      </Typography>
    );
  }
  return (
    <div>
      {isCampaign && (
        <Typography variant="body2" color="text.secondary" sx={quote}>
          {counted.text}
        </Typography>
      )}
      <Typography variant="body2" role="status">
        {whose} is <strong>{formatCount(segmentsPerText, "segment")}</strong>, with room for{" "}
        {formatCount(charactersLeftInSegment, "more character")} before it costs another credit.
      </Typography>
      <Typography variant="body2" color="text.secondary">
        {ENCODINGS[counted.encoding]}
      </Typography>
      <LongerBy counted={counted} isCampaign={isCampaign} onFix={onFix} />
    </div>
  );
}

function LongerBy({ counted, isCampaign, onFix }: Props) {
  const { charactersForcingUcs2: characters, text } = counted;
  if (characters.length === 0) return null;
  const { text: fixed, changes } = gentleFix(text);
  return (
    <Alert severity="info" role="note" sx={{ mt: 1 }}>
      What isn't plain: {characters.map(nameOf).join(", ")}. A single one makes a segment hold less
      than half.
      {changes.length > 0 && (
        <Box sx={{ mt: 1 }}>
          <Button size="small" variant="outlined" color="inherit" onClick={() => onFix(fixed)}>
            {isCampaign ? "Count it with plain ones" : "Use plain ones"}
          </Button>
          <Typography variant="body2" sx={{ mt: 0.5 }}>
            Replaces {inWords(changes)}; nothing else changes.
            {isCampaign && " The campaign's script stays as it is: change it there."}
          </Typography>
        </Box>
      )}
    </Alert>
  );
}

function inWords(names: string[]): string {
  return new Intl.ListFormat("en").format(names);
}

const quote = { borderLeft: 3, borderColor: "divider", pl: 1, mb: 1, overflowWrap: "anywhere" };
