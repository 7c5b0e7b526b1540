import AddCardIcon from "@mui/icons-material/AddCard";
import DownloadIcon from "@mui/icons-material/Download";
import { Alert, Box, Button, FormControlLabel, Stack, Switch, Typography } from "@mui/material";
import { useEffect, useRef, useState } from "react";
import type { ShownPurchaseFragment } from "../graphql/generated";
import { codeOf } from "../hooks/errors";
import { formatCount } from "../hooks/format";
import { useCreditFigures } from "../hooks/useCreditFigures";
import { purchasesFile, useCreditPurchases } from "../hooks/useCreditPurchases";
import { AddCreditsDialog } from "./AddCreditsDialog";
import { CreditTotals } from "./CreditTotals";
import { PurchaseRows } from "./PurchaseRows";
import { RemovePurchaseDialog } from "./RemovePurchaseDialog";
import { Loading, Problem } from "./States";

interface Props {
  teamId: string;
  /** Add credits, and remove them: for superadmins. */
  canChange: boolean;
}

/** A team's totals and credit purchases, live. For those who may see the team's figures. */
export function CreditPurchasesTable({ teamId, canChange }: Props) {
  const figures = useCreditFigures(teamId);
  const { purchases, readAgain, ...list } = useCreditPurchases(
    teamId,
    figures.team?.purchasedCredits,
  );
  const [chosen, setChosen] = useState<ShownPurchaseFragment | null>(null);
  const [isAdding, setAdding] = useState(false);
  const [news, setNews] = useState<{ sentence: string } | null>(null);
  const newsRef = useRef<HTMLDivElement>(null);

  // The button that opened the dialog is gone with what it removed.
  useEffect(() => {
    if (news) newsRef.current?.focus();
  }, [news]);

  const onRemoved = ({ amount }: ShownPurchaseFragment, wasBefore: boolean) => {
    setNews({ sentence: removalInWords(amount, wasBefore) });
    setChosen(null);
    readAgain();
  };
  const error = list.error ?? figures.error;
  const retry = () => {
    readAgain();
    figures.retry();
  };
  if (!purchases || !figures.team || isBarred(error)) {
    return error ? <Problem error={error} onRetry={retry} /> : <Loading rows={4} />;
  }
  return (
    <Stack spacing={2}>
      <CreditTotals team={figures.team} isLive={figures.isLive} />
      <div>
        <Tools teamId={teamId} {...list} onAdd={canChange ? () => setAdding(true) : undefined} />
        <div ref={newsRef} role="status" tabIndex={-1}>
          {news && <Alert onClose={() => setNews(null)}>{news.sentence}</Alert>}
        </div>
      </div>
      {error ? <StaleWarning onRetry={retry} /> : null}
      {purchases.length === 0 ? (
        <Typography color="text.secondary" sx={{ py: 4, textAlign: "center" }}>
          No credits have been added to this team yet.
        </Typography>
      ) : (
        <PurchaseRows purchases={purchases} onRemove={canChange ? setChosen : undefined} />
      )}
      <Pages {...list} />
      {isAdding && <AddCreditsDialog team={figures.team} onClose={() => setAdding(false)} />}
      {chosen && (
        <RemovePurchaseDialog
          purchase={chosen}
          team={figures.team}
          onRemoved={(wasBefore) => onRemoved(chosen, wasBefore)}
          onClose={() => setChosen(null)}
        />
      )}
    </Stack>
  );
}

/** Who may not see the figures any longer sees no old ones. */
function isBarred(error: unknown): boolean {
  return ["UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND"].includes(codeOf(error) ?? "");
}

function removalInWords(amount: number, wasBefore: boolean): string {
  const credits = formatCount(amount, "credit");
  return wasBefore
    ? `Somebody had removed this purchase of ${credits} already. The list is up to date now.`
    : `The purchase of ${credits} was removed.`;
}

type List = Omit<ReturnType<typeof useCreditPurchases>, "purchases" | "readAgain">;

interface ToolsProps extends List {
  teamId: string;
  onAdd?: () => void;
}

function Tools({ teamId, includeRemoved, setIncludeRemoved, onAdd }: ToolsProps) {
  return (
    <Stack direction="row" sx={{ alignItems: "center", flexWrap: "wrap", gap: 1 }}>
      <FormControlLabel
        label="Show removed"
        control={
          <Switch
            checked={includeRemoved}
            onChange={(event) => setIncludeRemoved(event.target.checked)}
          />
        }
      />
      <Box sx={{ flexGrow: 1 }} />
      {onAdd && (
        <Button onClick={onAdd} startIcon={<AddCardIcon />}>
          Add credits
        </Button>
      )}
      <Button href={purchasesFile(teamId)} download startIcon={<DownloadIcon />}>
        Download CSV
      </Button>
    </Stack>
  );
}

function Pages({ page, showNewer, showOlder }: List) {
  if (!showNewer && !showOlder) return null;
  return (
    <Stack
      direction="row"
      component="nav"
      aria-label="Pages of purchases"
      sx={{ justifyContent: "center", alignItems: "center", gap: 1 }}
    >
      <Button disabled={!showNewer} onClick={showNewer}>
        Newer
      </Button>
      <Typography variant="body2" role="status">
        Page {page + 1}
      </Typography>
      <Button disabled={!showOlder} onClick={showOlder}>
        Older
      </Button>
    </Stack>
  );
}

function StaleWarning({ onRetry }: { onRetry: () => void }) {
  return (
    <Alert
      severity="warning"
      action={
        <Button color="inherit" onClick={onRetry}>
          Try again
        </Button>
      }
    >
      The list couldn't be read again. It may be out of date.
    </Alert>
  );
}
