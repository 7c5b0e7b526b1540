"""Organizations: teams, as Spoke's client calls them."""

import strawberry

from resolvers import assignment_requests, organization_settings, organizations, tags
from schema.fields import field
from schema.types.assignment_requests import AssignmentTarget
from schema.types.organization_settings import OrganizationSettings
from schema.types.tags import Tag
from schema.types.teams import Team


@strawberry.type(
    description="A tenant, as Spoke's client knows it. The same row, and id, as a Team."
)
class Organization:
    id: strawberry.ID | None
    uuid: str | None
    name: str | None
    deleted_at: str | None = field(
        organizations.deleted_at, "When it was deleted, in milliseconds since 1970."
    )
    settings: OrganizationSettings = field(
        organization_settings.settings, "Each for those who may read it."
    )
    opt_out_message: str | None = field(
        organization_settings.opt_out_message, "What people are told who asked not to be texted."
    )
    three_click_enabled: bool | None = field(
        organization_settings.three_click_enabled, "Whether texters are led by questions alone."
    )
    tag_list: list[Tag] = field(tags.tag_list, "Its marks for conversations. For its members.")
    my_current_assignment_targets: list[AssignmentTarget | None] = field(
        assignment_requests.my_targets,
        "What one may ask for by requestTexts, the most important first; nothing for outsiders.",
    )
    team: Team | None = field(organizations.team, "Its credits.")
