import { useQuery } from "@apollo/client/react";
import { ConversationDocument, type ConversationQuery } from "../graphql/generated";

export type Contact = NonNullable<ConversationQuery["contact"]>;

/** A contact and what was said. Null for one that is somebody else's by now. */
export function useConversation(contactId: string): {
  contact: Contact | null | undefined;
  error: unknown;
  refetch: () => void;
} {
  const { data, error, refetch } = useQuery(ConversationDocument, {
    variables: { contactId },
    fetchPolicy: "cache-and-network",
  });
  return { contact: data?.contact, error, refetch: () => void refetch() };
}
