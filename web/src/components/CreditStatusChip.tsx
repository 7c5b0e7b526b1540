import BlockIcon from "@mui/icons-material/Block";
import CheckCircleOutlinedIcon from "@mui/icons-material/CheckCircleOutlined";
import PowerSettingsNewIcon from "@mui/icons-material/PowerSettingsNew";
import TrendingDownIcon from "@mui/icons-material/TrendingDown";
import WarningAmberIcon from "@mui/icons-material/WarningAmber";
import { Chip, type ChipProps, type SxProps, type Theme } from "@mui/material";
import type { ReactElement } from "react";
import type { CreditStatus } from "../graphql/generated";

interface Look {
  label: string;
  icon: ReactElement;
  sx?: SxProps<Theme>;
  color?: ChipProps["color"];
}

const pink: SxProps<Theme> = {
  color: "blocked.text",
  borderColor: "blocked.border",
  "& .MuiChip-icon": { color: "inherit" },
};
const LOOKS: Record<CreditStatus, Look> = {
  AVAILABLE: { label: "Can send", icon: <CheckCircleOutlinedIcon /> },
  SHORT: { label: "Short", icon: <WarningAmberIcon />, sx: pink },
  EXHAUSTED: { label: "Exhausted", icon: <BlockIcon />, sx: pink },
  DISABLED: { label: "Credits off", icon: <PowerSettingsNewIcon /> },
};
const RUNNING_LOW: Look = {
  label: "Running low",
  icon: <TrendingDownIcon />,
  color: "warning",
};

interface Props {
  status: CreditStatus;
  isRunningLow?: boolean;
}

/** A word and an icon: whoever sees no colours reads the same. */
export function CreditStatusChip({ status, isRunningLow }: Props) {
  const look = isRunningLow && status === "AVAILABLE" ? RUNNING_LOW : LOOKS[status];
  return <Chip size="small" variant="outlined" {...look} />;
}
