import { Typography } from "@mui/material";
import type { CountedTextFragment } from "../graphql/generated";
import { formatAge, formatCount, formatMoment } from "../hooks/format";

type Estimate = NonNullable<CountedTextFragment["campaignEstimate"]>;

/** To how many a campaign's first texts go, and how good that count is. */
export function CampaignCount({ estimate }: { estimate: Estimate }) {
  const { contacts, isSampled, creditsNeededMargin, computedAt, ageSeconds, isComputing } =
    estimate;
  return (
    <Typography variant="body2">
      {formatCount(contacts, "contact")} still to be texted,{" "}
      <time dateTime={computedAt} title={formatMoment(computedAt)}>
        counted {formatAge(ageSeconds)}
      </time>
      {isComputing && "; being counted anew"}.
      {isSampled &&
        ` There are many: only some, chosen at random, were looked at, so that it may be off by ${formatCount(creditsNeededMargin, "credit")}.`}
    </Typography>
  );
}
