"""Requests for texts."""

import strawberry

from schema.fields import plain


@strawberry.type(description="A texter's wish for contacts to text.")
class AssignmentRequest:
    id: strawberry.ID
    amount: int = plain("How many contacts.")
    status: str = plain("pending, approved or rejected.")


@strawberry.type(description="What a texter may ask for. Spoke calls groups of texters teams.")
class AssignmentTarget:
    kind: str = strawberry.field(
        name="type", description="UNSENT: contacts without a first text. UNREPLIED: replies."
    )
    max_request_count: int | None = plain("How many at once; null: none are handed out.")
    group_title: str | None = strawberry.field(
        name="teamTitle", description="For which group; General: for everybody."
    )
    group_id: str | None = strawberry.field(
        name="teamId", description="Of that group, not of a Team; -1: for everybody."
    )


@strawberry.type(description="Whether there was somebody to text.")
class FoundContact:
    found: bool | None = plain("Whether the assignment has new contacts.")
