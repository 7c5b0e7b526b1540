import { Typography } from "@mui/material";
import type { Viewer } from "../hooks/useViewer";

interface Props {
  teamId: string;
  viewer: Viewer;
}

export default function TeamPage({ teamId, viewer }: Props) {
  return (
    <Typography variant="h1">
      {teamId} {viewer.name}
    </Typography>
  );
}
