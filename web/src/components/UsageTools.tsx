import DownloadIcon from "@mui/icons-material/Download";
import RefreshIcon from "@mui/icons-material/Refresh";
import { Box, Button, Stack } from "@mui/material";

interface Props {
  /** Address of the file. */
  file: string;
  isLoading: boolean;
  onRefresh: () => void;
}

/** Asks again, or takes the figures away as a file. */
export function UsageTools({ file, isLoading, onRefresh }: Props) {
  return (
    <Stack direction="row" spacing={1} sx={{ ml: { md: "auto" } }}>
      <Button startIcon={<RefreshIcon />} onClick={onRefresh}>
        Refresh
      </Button>
      <Button startIcon={<DownloadIcon />} href={file}>
        CSV
      </Button>
      <Box role="status" sx={onlyHeard}>
        {isLoading ? "Loading usage" : "Usage is up to date"}
      </Box>
    </Stack>
  );
}

const onlyHeard = {
  position: "absolute",
  width: "1px",
  height: "1px",
  overflow: "hidden",
  clipPath: "inset(50%)",
  whiteSpace: "nowrap",
};
