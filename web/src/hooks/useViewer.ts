import { useQuery } from "@apollo/client/react";
import { type UserRole, ViewerDocument } from "../graphql/generated";

export interface Membership {
  teamId: string;
  teamName: string;
  role: UserRole;
}

/** Who is signed in. */
export interface Viewer {
  id: string;
  name: string;
  isSuperadmin: boolean;
  memberships: Membership[];
}

/** `viewer` is null for nobody, and undefined until that is known. */
export function useViewer(): { viewer: Viewer | null | undefined; error: unknown } {
  const { data, error } = useQuery(ViewerDocument);
  if (!data) return { viewer: undefined, error };
  const user = data.currentUser;
  if (!user?.id) return { viewer: null, error: undefined };
  const memberships = (user.memberships?.edges ?? []).flatMap(({ node }) =>
    node.organization.id && node.role !== "SUSPENDED"
      ? [
          {
            teamId: node.organization.id,
            teamName: node.organization.name ?? "",
            role: node.role,
          },
        ]
      : [],
  );
  const { id, displayName: name, isSuperadmin } = user;
  return { viewer: { id, name, isSuperadmin, memberships }, error: undefined };
}

const MANAGING: readonly UserRole[] = ["ADMIN", "OWNER", "SUPERADMIN"];

/** The teams whose usage, notices and settings they may see as ADMIN or OWNER. */
export function managedTeams(viewer: Viewer): Membership[] {
  return viewer.memberships.filter(({ role }) => manages(role));
}

/** What this person may do in a team; null for outsiders. Superadmins need no membership. */
export function roleIn(viewer: Viewer, teamId: string): UserRole | null {
  if (viewer.isSuperadmin) return "SUPERADMIN";
  return viewer.memberships.find((membership) => membership.teamId === teamId)?.role ?? null;
}

/** Sees a team's usage, notices and settings. */
export function manages(role: UserRole | null): boolean {
  return role !== null && MANAGING.includes(role);
}

/** Changes a team's settings. */
export function owns(role: UserRole | null): boolean {
  return role === "OWNER" || role === "SUPERADMIN";
}
