"""Invites."""

import strawberry


@strawberry.type(description="Lets whoever knows its hash sign up.")
class Invite:
    id: strawberry.ID | None
    is_valid: bool | None
    hash: str | None
