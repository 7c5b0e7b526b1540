import BlockIcon from "@mui/icons-material/Block";
import { Alert, AlertTitle } from "@mui/material";

interface Props {
  /** Names of who can help. */
  contacts: string[];
}

/** Stands where Send was while a team's credits are used up. */
export function InsufficientCreditsBanner({ contacts }: Props) {
  return (
    <Alert severity="error" icon={<BlockIcon />} variant="outlined" sx={look}>
      <AlertTitle sx={{ fontWeight: 600 }}>Insufficient Credits</AlertTitle>
      Your team has used up its credits, so nothing can be sent now. Your text is kept, and Send
      comes back by itself when credits are added. {whoCanHelp(contacts)}
    </Alert>
  );
}

/** "Ask Olivia Owner or Adam Admin." */
export function whoCanHelp(contacts: string[]): string {
  const names = new Intl.ListFormat("en", { type: "disjunction" }).format(contacts);
  return `Ask ${names || "an admin of your team"} for more.`;
}

const look = {
  bgcolor: "blocked.background",
  borderColor: "blocked.border",
  color: "blocked.text",
  "& .MuiAlert-icon": { color: "inherit" },
};
