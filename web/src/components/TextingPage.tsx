import { Typography } from "@mui/material";

export default function TextingPage() {
  return <Typography variant="h1">TextingPage</Typography>;
}
