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

const TOTAL = gql`
  {
    teams(limit: 100) {
      pageInfo {
        total
      }
    }
  }
`;
const USAGE = gql`
  {
    teams(limit: 100) {
      teams {
        id
        creditStatus
        usage(by: DAY) {
          segments
        }
      }
    }
  }
`;

it("keeps what is known of a page of teams when more is asked of it", () => {
  const cache = new InMemoryCache({ typePolicies });
  const total = { teams: { __typename: "TeamPage", pageInfo: { __typename: "Info", total: 1 } } };
  const used = [{ __typename: "Usage", segments: 5 }];
  const team = { __typename: "Team", id: "1", creditStatus: "AVAILABLE", usage: used };
  cache.writeQuery({ query: TOTAL, data: total });
  cache.writeQuery({ query: USAGE, data: { teams: { __typename: "TeamPage", teams: [team] } } });
  expect(cache.readQuery({ query: TOTAL })).toEqual(total);
});
