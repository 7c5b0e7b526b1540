import { ApolloClient, ApolloLink, InMemoryCache } from "@apollo/client";
import { Observable } from "rxjs";
import { typePolicies } from "../src/hooks/typePolicies";

export interface Asked {
  name: string;
  variables: Record<string, unknown>;
}

/** What comes back: data, or an error that is thrown; a promise for what comes later. */
type Reply = (asked: Asked) => ApolloLink.Result | Promise<ApolloLink.Result>;

/** A client whose server is a function, and what it was asked. */
export function clientOf(reply: Reply): { client: ApolloClient; asked: Asked[] } {
  const asked: Asked[] = [];
  const link = new ApolloLink(
    ({ operationName, variables }) =>
      new Observable((observer) => {
        const one = { name: operationName ?? "", variables };
        asked.push(one);
        new Promise<ApolloLink.Result>((resolve) => resolve(reply(one))).then(
          (result) => {
            observer.next(result);
            observer.complete();
          },
          (error) => observer.error(error),
        );
      }),
  );
  return { client: new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }) }), asked };
}

export function refused(code: string, message: string): ApolloLink.Result {
  return { data: null, errors: [{ message, extensions: { code } }] };
}
