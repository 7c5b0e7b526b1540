import { useRunningLowMail } from "../hooks/useRunningLowMail";
import { SettingSwitch } from "./SettingSwitch";

interface Props {
  teamId: string;
  /** Whether the viewer is the team's OWNER or a superadmin. */
  canChange: boolean;
}

/** Turns mail about a team's running low on and off, for everybody who would get it. */
export function RunningLowMailToggle({ teamId, canChange }: Props) {
  const { isOn, isBusy, error, change } = useRunningLowMail(teamId, canChange);
  return (
    <SettingSwitch
      label="Send mail when credits are running low"
      isOn={isOn}
      isBusy={isBusy}
      canChange={canChange}
      error={error}
      onChange={change}
      effect={isOn ? "On: there is a mail before the credits are used up." : "Off for everybody."}
    >
      One mail each time credits come down to a small part of what was added, while there is still
      time to add some. It goes to the team's admins and owners, and to superadmins; each of them
      can stop it for themselves with the link in it. The mail that says that credits are used up
      goes out in any case.
    </SettingSwitch>
  );
}
