import { gql, InMemoryCache } from "@apollo/client";
import { expect, it } from "vitest";
import { typePolicies } from "../src/hooks/typePolicies";

const OURS = gql`
  {
    team(id: "1") {
      id
      name
      creditStatus
    }
  }
`;
const SPOKES = gql`
  {
    teams {
      id
      title
    }
  }
`;

it("keeps our Team and Spoke's apart, which have the same ids", () => {
  const cache = new InMemoryCache({ typePolicies });
  const ours = { __typename: "Team", id: "1", name: "North Valley", creditStatus: "AVAILABLE" };
  const spokes = [{ __typename: "Team", id: "1", title: "Night shift" }];
  cache.writeQuery({ query: OURS, data: { team: ours } });
  cache.writeQuery({ query: SPOKES, data: { teams: spokes } });
  expect(Object.keys(cache.extract())).toEqual(expect.arrayContaining(["CreditTeam:1", "Team:1"]));
  expect(cache.readQuery({ query: OURS })).toEqual({ team: ours });
  expect(cache.readQuery({ query: SPOKES })).toEqual({ teams: spokes });
});
