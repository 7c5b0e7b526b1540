import { useMutation } from "@apollo/client/react";
import { useState } from "react";
import { SetCreditsEnabledDocument } from "../graphql/generated";
import { type TeamSettings, useTeamSettings } from "./useTeamSettings";

export interface CreditsToggleState {
  /** Undefined until it is known, null for who may not know it. */
  settings: TeamSettings | null | undefined;
  /** Turning on waits for `confirm` or `cancel`: it would stop the team at once. */
  isAsking: boolean;
  isBusy: boolean;
  /** Why it isn't known, or wasn't changed. */
  error: unknown;
  change: (enabled: boolean) => Promise<void>;
  confirm: () => Promise<void>;
  cancel: () => void;
}

/**
 * *Use credits to control outbound texting*, for a team's ADMINs and above; to be changed by its
 * OWNERs and superadmins (`canChange`). Nothing is shown as changed before the server says so.
 */
export function useCreditsToggle(teamId: string, canChange: boolean): CreditsToggleState {
  const { settings, error: unknown, refresh } = useTeamSettings({ teamId, asOwner: canChange });
  const [setEnabled, { error: refused }] = useMutation(SetCreditsEnabledDocument);
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);

  const save = async (enabled: boolean) => {
    // A lost answer leaves open what is so now: then that is asked for.
    await setEnabled({ variables: { teamId, enabled } }).catch(refresh);
  };
  const turnOn = async () => {
    // What is known may be old: texts go out and credits are added all the time.
    const latest = await refresh();
    if (latest?.turningOnWouldBlock) setAsking(true);
    else if (latest) await save(true);
  };
  const change = async (enabled: boolean) => {
    if (isBusy || !canChange) return;
    setBusy(true);
    await (enabled ? turnOn() : save(false));
    setBusy(false);
  };
  const confirm = async () => {
    setAsking(false);
    setBusy(true);
    await save(true);
    setBusy(false);
  };
  const cancel = () => setAsking(false);
  return { settings, isAsking, isBusy, error: refused ?? unknown, change, confirm, cancel };
}
