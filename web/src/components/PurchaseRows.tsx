import DeleteOutlinedIcon from "@mui/icons-material/DeleteOutlined";
import {
  Box,
  IconButton,
  Table,
  TableBody,
  TableCell,
  TableHead,
  TableRow,
  Tooltip,
  Typography,
} from "@mui/material";
import type { ShownPurchaseFragment } from "../graphql/generated";
import { formatCount, formatMoment, formatNumber } from "../hooks/format";

interface Props {
  purchases: ShownPurchaseFragment[];
  /** Without it there are no trash cans. */
  onRemove?: (purchase: ShownPurchaseFragment) => void;
}

export function PurchaseRows({ purchases, onRemove }: Props) {
  return (
    <Table size="small" aria-label="Credit purchases, newest first" sx={tableLook}>
      <TableHead>
        <TableRow>
          <TableCell align="right">Credits</TableCell>
          <TableCell sx={addedLook}>Added</TableCell>
          <TableCell sx={onlyWide}>Note</TableCell>
          <TableCell align="right">Remaining after</TableCell>
          {onRemove && (
            <TableCell padding="none">
              <Box component="span" sx={unseen}>
                Remove
              </Box>
            </TableCell>
          )}
        </TableRow>
      </TableHead>
      <TableBody>
        {purchases.map((purchase) => (
          <Row key={purchase.id} purchase={purchase} onRemove={onRemove} />
        ))}
      </TableBody>
    </Table>
  );
}

function Row({
  purchase,
  onRemove,
}: { purchase: ShownPurchaseFragment } & Omit<Props, "purchases">) {
  const { amount, note, remainingAfter, removedAt } = purchase;
  return (
    <TableRow sx={removedAt ? removedLook : undefined}>
      <TableCell align="right">
        {removedAt ? <del>{formatNumber(amount)}</del> : formatNumber(amount)}
      </TableCell>
      <TableCell>
        <Added purchase={purchase} />
      </TableCell>
      <TableCell sx={[onlyWide, { overflowWrap: "anywhere" }]}>{note}</TableCell>
      <TableCell align="right">{formatNumber(remainingAfter)}</TableCell>
      {onRemove && (
        <TableCell padding="none" align="right">
          {!removedAt && (
            <Tooltip title="Remove">
              <IconButton
                aria-label={`Remove the purchase of ${formatCount(amount, "credit")}`}
                onClick={() => onRemove(purchase)}
              >
                <DeleteOutlinedIcon fontSize="small" />
              </IconButton>
            </Tooltip>
          )}
        </TableCell>
      )}
    </TableRow>
  );
}

/** Who and when, of the removal too; and why, where there is no room for a column. */
function Added({ purchase }: { purchase: ShownPurchaseFragment }) {
  const { purchasedByName, createdAt, note, removedAt, removedByName } = purchase;
  return (
    <>
      {purchasedByName}
      <Moment iso={createdAt} />
      {note && (
        <Typography variant="body2" sx={{ display: { md: "none" }, overflowWrap: "anywhere" }}>
          {note}
        </Typography>
      )}
      {removedAt && (
        <Box sx={{ mt: 0.5, whiteSpace: { sm: "nowrap" } }}>
          <strong>Removed</strong> by {removedByName}
          <Moment iso={removedAt} />
        </Box>
      )}
    </>
  );
}

function Moment({ iso }: { iso: string }) {
  return (
    <Typography component="time" dateTime={iso} variant="body2" color="text.secondary" sx={block}>
      {formatMoment(iso)}
    </Typography>
  );
}

const block = { display: "block", whiteSpace: { sm: "nowrap" } };
/** All the room there is, where the note is in this column, too. */
const addedLook = { width: { xs: "100%", md: "auto" } };
const onlyWide = { display: { xs: "none", md: "table-cell" } };
const removedLook = {
  bgcolor: "action.hover",
  "& td": { color: "text.secondary", verticalAlign: "top" },
};
const unseen = {
  position: "absolute",
  width: "1px",
  height: "1px",
  overflow: "hidden",
  clipPath: "inset(50%)",
};
const tableLook = {
  "& td, & th": { px: { xs: 0.75, sm: 2 } },
  "& td": { verticalAlign: "top" },
};
