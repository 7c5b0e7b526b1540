import { Box, Paper, Typography } from "@mui/material";
import { formatNumber } from "../hooks/format";

interface Props {
  label: string;
  figures: { name: string; value: number }[];
}

/** A few numbers that matter, side by side. */
export function FigureList({ label, figures }: Props) {
  return (
    <Paper component="dl" variant="outlined" aria-label={label} sx={look}>
      {figures.map(({ name, value }) => (
        <div key={name}>
          <Typography component="dt" variant="body2" color="text.secondary">
            {name}
          </Typography>
          <Box component="dd" sx={{ m: 0, fontSize: "1.4rem", fontWeight: 500 }}>
            {formatNumber(value)}
          </Box>
        </div>
      ))}
    </Paper>
  );
}

const look = {
  m: 0,
  px: { xs: 2, sm: 3 },
  py: 2,
  display: "grid",
  gap: 2,
  gridTemplateColumns: "repeat(auto-fit, minmax(120px, 1fr))",
};
