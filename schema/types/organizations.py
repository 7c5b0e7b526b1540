"""Organizations: teams, as Spoke's client calls them."""

import strawberry

from resolvers import organizations, tags
from schema.fields import field
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
    tag_list: list[Tag] = field(tags.tag_list, "Its marks for conversations. For its members.")
    team: Team | None = field(organizations.team, "Its credits.")
