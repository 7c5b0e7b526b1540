import AccountBalanceIcon from "@mui/icons-material/AccountBalance";
import AddCardIcon from "@mui/icons-material/AddCard";
import { IconButton, Tooltip } from "@mui/material";

export type TeamDialog = "add" | "purchases";

interface Props {
  name: string;
  onOpen: (dialog: TeamDialog) => void;
}

/** The card adds credits, the bank shows what was bought. */
export function TeamActions({ name, onOpen }: Props) {
  return (
    <>
      <Tooltip title="Add credits">
        <IconButton aria-label={`Add credits to ${name}`} onClick={() => onOpen("add")}>
          <AddCardIcon />
        </IconButton>
      </Tooltip>
      <Tooltip title="Credit purchases">
        <IconButton aria-label={`Credit purchases of ${name}`} onClick={() => onOpen("purchases")}>
          <AccountBalanceIcon />
        </IconButton>
      </Tooltip>
    </>
  );
}
