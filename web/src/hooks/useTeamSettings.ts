import { useQuery } from "@apollo/client/react";
import { TeamSettingsDocument, type TeamSettingsQuery } from "../graphql/generated";

export type TeamSettings = NonNullable<TeamSettingsQuery["team"]>;

interface Asked {
  teamId: string;
  /** Whether the viewer is the team's OWNER or a superadmin: others may not know all of it. */
  asOwner: boolean;
  /** How often to ask again; 0 for never. */
  pollMilliseconds?: number;
}

/**
 * A team's settings, for its ADMINs and above. `refresh` asks again and returns what it heard;
 * null, and `error`, where there was no answer.
 */
export function useTeamSettings({ teamId, asOwner, pollMilliseconds = 0 }: Asked): {
  settings: TeamSettings | null | undefined;
  error: unknown;
  refresh: () => Promise<TeamSettings | null>;
} {
  const { data, error, refetch } = useQuery(TeamSettingsDocument, {
    variables: { teamId, asOwner },
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
    pollInterval: pollMilliseconds,
  });
  const refresh = () =>
    refetch().then(
      (answer) => answer.data?.team ?? null,
      () => null,
    );
  return { settings: data?.team, error, refresh };
}
