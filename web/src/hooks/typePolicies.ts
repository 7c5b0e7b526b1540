import type { TypePolicies } from "@apollo/client";

/**
 * Keeps our `Team`, a tenant, apart from Spoke's type of the same name, which has ids of its own:
 * a normalized cache would mix them up. Ours is known by `creditStatus`, which each of our
 * selections has.
 */
export const typePolicies: TypePolicies = {
  Team: {
    keyFields: (team) => {
      const kind = team.creditStatus === undefined ? "Team" : "CreditTeam";
      return team.id === undefined ? undefined : `${kind}:${team.id}`;
    },
  },
  // Asked for in parts, which come one after the other: the later one adds to the one before.
  TeamPage: { merge: true },
};
