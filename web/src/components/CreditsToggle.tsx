import {
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogContentText,
  DialogTitle,
} from "@mui/material";
import { useCreditsToggle } from "../hooks/useCreditsToggle";
import { SettingSwitch } from "./SettingSwitch";

interface Props {
  teamId: string;
  /** Whether the viewer is the team's OWNER or a superadmin. */
  canChange: boolean;
}

/** Turns a team's use of credits on and off; asks first where turning on would stop the team. */
export function CreditsToggle({ teamId, canChange }: Props) {
  const toggle = useCreditsToggle(teamId, canChange);
  const isOn = toggle.settings?.creditsEnabled;
  return (
    <>
      <SettingSwitch
        label="Use credits to control outbound texting"
        isOn={isOn}
        isBusy={toggle.isBusy}
        canChange={canChange}
        error={toggle.error}
        onChange={toggle.change}
        effect={isOn ? WHILE_ON : WHILE_OFF}
      >
        {isOn ? IF_TURNED_OFF : IF_TURNED_ON} Incoming texts and opting out always work.
      </SettingSwitch>
      <Dialog open={toggle.isAsking} onClose={toggle.cancel} aria-labelledby="stops-at-once">
        <DialogTitle id="stops-at-once">This stops the team's texting</DialogTitle>
        <DialogContent>
          <DialogContentText>
            {toggle.settings?.name} has no credits: every text is refused from that moment, and
            superadmins get a mail to add some.
          </DialogContentText>
        </DialogContent>
        <DialogActions>
          <Button autoFocus onClick={toggle.cancel}>
            Leave credits off
          </Button>
          <Button variant="contained" onClick={toggle.confirm}>
            Turn on credits
          </Button>
        </DialogActions>
      </Dialog>
    </>
  );
}

const WHILE_ON =
  "On: each segment of a text uses one credit. Once too few are left, texts are refused until a superadmin adds more.";
const WHILE_OFF =
  "Off: texts go out without a limit and use no credits. They still count in usage.";
const IF_TURNED_OFF = "Turned off, texts go out without a limit and use no credits, at once.";
const IF_TURNED_ON =
  "Turned on, each segment of a text uses one credit, and texts are refused once too few are left.";
