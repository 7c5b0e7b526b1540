import { Typography } from "@mui/material";

export default function CreditsPage() {
  return <Typography variant="h1">CreditsPage</Typography>;
}
