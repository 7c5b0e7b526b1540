import { ApolloClient, ApolloLink, InMemoryCache, Observable } from "@apollo/client";
import { ApolloProvider } from "@apollo/client/react";
import type { FormattedExecutionResult, GraphQLFormattedError } from "graphql";
import type { ReactNode } from "react";
import { typePolicies } from "../src/hooks/typePolicies";

type Variables = Record<string, unknown>;
/** What the server says to an operation; null: it can't be reached. */
export type Answer = (variables: Variables) => FormattedExecutionResult | null;

export interface Asked {
  name: string;
  variables: Variables;
}

/** A server of answers by an operation's name, which writes down what it was asked. */
export function serverOf(answers: Record<string, Answer>) {
  const asked: Asked[] = [];
  const link = new ApolloLink(
    ({ operationName: name = "", variables }) =>
      new Observable((observer) => {
        asked.push({ name, variables });
        const answer = answers[name]?.(variables);
        queueMicrotask(() => {
          if (!answer) return observer.error(new Error("unreached"));
          observer.next(answer);
          observer.complete();
        });
      }),
  );
  const client = new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }) });
  const wrapper = ({ children }: { children: ReactNode }) => (
    <ApolloProvider client={client}>{children}</ApolloProvider>
  );
  return { asked, wrapper };
}

export function refusal(code: string, message = code): GraphQLFormattedError {
  return { message, extensions: { code } };
}
