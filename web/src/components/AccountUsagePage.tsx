import { Typography } from "@mui/material";

export default function AccountUsagePage() {
  return <Typography variant="h1">AccountUsagePage</Typography>;
}
