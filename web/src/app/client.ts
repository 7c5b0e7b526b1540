import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import type { Socket } from "../hooks/socket";
import { typePolicies } from "../hooks/typePolicies";

export function makeClient(socket: Socket): ApolloClient {
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket.client),
    new HttpLink({ uri: "/graphql", credentials: "same-origin" }),
  );
  return new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }) });
}

export function socketUrl({ protocol, host }: Location): string {
  return `${protocol === "https:" ? "wss:" : "ws:"}//${host}/graphql`;
}
