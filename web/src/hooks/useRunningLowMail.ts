import { useMutation } from "@apollo/client/react";
import { SetRunningLowMailDocument } from "../graphql/generated";
import { useTeamSettings } from "./useTeamSettings";

/**
 * Whether mail goes out when a team is running low, for its ADMINs and above; to be changed by its
 * OWNERs and superadmins (`canChange`). `isOn` is undefined until it is known.
 */
export function useRunningLowMail(
  teamId: string,
  canChange: boolean,
): {
  isOn: boolean | null | undefined;
  isBusy: boolean;
  /** Why it isn't known, or wasn't changed. */
  error: unknown;
  change: (enabled: boolean) => Promise<void>;
} {
  const { settings, error: unknown, refresh } = useTeamSettings({ teamId, asOwner: canChange });
  const [setMail, { loading: isBusy, error: refused }] = useMutation(SetRunningLowMailDocument);
  const change = async (enabled: boolean) => {
    if (isBusy || !canChange) return;
    await setMail({ variables: { teamId, enabled } }).catch(refresh);
  };
  return { isOn: settings?.runningLowMail, isBusy, error: refused ?? unknown, change };
}
