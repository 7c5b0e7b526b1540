import { expect, it } from "vitest";
import { manages, owns, roleIn, type Viewer } from "../src/hooks/useViewer";

const memberships = [
  { teamId: "1", teamName: "North Valley Field", role: "OWNER" },
  { teamId: "2", teamName: "Harbor Tenants Union", role: "ADMIN" },
  { teamId: "3", teamName: "Student Climate Network", role: "SUPERVOLUNTEER" },
] as const;
const viewer: Viewer = {
  id: "1",
  name: "Olivia Owner",
  isSuperadmin: false,
  memberships: [...memberships],
};

it.each([
  ["1", true, true],
  ["2", true, false],
  ["3", false, false],
  ["4", false, false],
])("in team %s manages: %s, owns: %s", (teamId, isManaging, isOwning) => {
  const role = roleIn(viewer, teamId);
  expect([manages(role), owns(role)]).toEqual([isManaging, isOwning]);
});

it("lets superadmins manage and own each team, without a membership", () => {
  const role = roleIn({ ...viewer, isSuperadmin: true, memberships: [] }, "4");
  expect([manages(role), owns(role)]).toEqual([true, true]);
});
