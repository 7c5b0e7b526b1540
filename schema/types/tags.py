"""Tags."""

import strawberry

from schema.scalars import Date


@strawberry.type(description="A team's mark for conversations.")
class Tag:
    id: strawberry.ID
    title: str
    description: str
    text_color: str
    background_color: str
    confirmation_steps: list[list[str | None] | None]
    on_apply_script: str
    is_assignable: bool
    is_system: bool
    created_at: Date


@strawberry.type(description="A tag on a conversation.")
class CampaignContactTag:
    id: str
    tag: Tag
