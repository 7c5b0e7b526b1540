import { useQuery } from "@apollo/client/react";
import { CreditContactsDocument } from "../graphql/generated";
import { useTeamStatus } from "./useTeamStatus";

/** What stands where Send was, as it changes. */
export interface CreditBanner {
  /** Nothing can be sent. */
  isExhausted: boolean;
  /** Something remains, but a text was refused because it cost more. */
  isShort: boolean;
  /** Names of people of the team who can help; empty where nobody is known. */
  contacts: string[];
  /** The team can't be seen any longer, or asking failed. */
  error: unknown;
}

export function useCreditBanner(teamId: string): CreditBanner {
  const { team, error } = useTeamStatus(teamId);
  const isExhausted = team?.creditStatus === "EXHAUSTED";
  const isShort = team?.creditStatus === "SHORT";
  const { data } = useQuery(CreditContactsDocument, {
    variables: { teamId },
    skip: !isExhausted && !isShort,
  });
  const contacts = (data?.team?.creditContacts ?? []).map(({ displayName }) => displayName);
  return { isExhausted, isShort, contacts, error };
}
