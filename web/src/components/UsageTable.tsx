import {
  Paper,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableFooter,
  TableHead,
  TableRow,
} from "@mui/material";
import type { ReactNode } from "react";
import { formatNumber } from "../hooks/format";
import { type Figures, MEASURES } from "../hooks/useUsage";

export interface NamedFigures {
  key: string;
  name: ReactNode;
  figures: Figures;
}

interface Props {
  /** What the table is, for who can't see it. */
  label: string;
  /** What its rows are. */
  heading: string;
  rows: NamedFigures[];
  total: NamedFigures;
  isLoading: boolean;
}

/** Usage in numbers, with their sum. Without the credits where they aren't visible. */
export function UsageTable({ label, heading, rows, total, isLoading }: Props) {
  const measures = MEASURES.filter(({ of }) => of(total.figures) != null);
  const cells = (figures: Figures) =>
    measures.map(({ name, of }) => (
      <TableCell key={name} align="right">
        {formatNumber(of(figures) ?? 0)}
      </TableCell>
    ));
  return (
    // Whoever uses the keyboard can scroll what is wider than a telephone.
    <TableContainer
      component={Paper}
      variant="outlined"
      tabIndex={0}
      role="region"
      aria-label={label}
    >
      <Table size="small" aria-label={label} aria-busy={isLoading} sx={look}>
        <caption>Scroll sideways for more columns.</caption>
        <TableHead>
          <TableRow>
            <TableCell>{heading}</TableCell>
            {measures.map(({ name }) => (
              <TableCell key={name} align="right">
                {name}
              </TableCell>
            ))}
          </TableRow>
        </TableHead>
        <TableBody>
          {rows.map(({ key, name, figures }) => (
            <TableRow key={key}>
              <TableCell component="th" scope="row">
                {name}
              </TableCell>
              {cells(figures)}
            </TableRow>
          ))}
        </TableBody>
        <TableFooter>
          <TableRow>
            <TableCell component="th" scope="row">
              {total.name}
            </TableCell>
            {cells(total.figures)}
          </TableRow>
        </TableFooter>
      </Table>
    </TableContainer>
  );
}

const look = {
  width: "max-content",
  minWidth: "100%",
  fontVariantNumeric: "tabular-nums",
  "& tr > :first-of-type": {
    position: "sticky",
    left: 0,
    zIndex: 1,
    bgcolor: "background.paper",
    maxWidth: { xs: 160, sm: 400 },
    overflowWrap: "anywhere",
  },
  "& caption": { display: { sm: "none" }, captionSide: "top", pb: 0 },
  "& tr > *": { px: { xs: 1.25, sm: 2 } },
  "& thead th": { whiteSpace: "nowrap" },
  "& tbody th": { fontWeight: 400 },
  "& tfoot th, & tfoot td": { fontWeight: 600, fontSize: "0.875rem", color: "text.primary" },
  "& tfoot tr > *": { borderBottom: 0, borderTop: 1, borderColor: "divider" },
};
