"""Messages of a conversation."""

import strawberry

from schema.scalars import Date


@strawberry.type(description="One text, to or from a contact.")
class Message:
    id: strawberry.ID | None
    text: str | None
    user_id: strawberry.ID | None
    is_from_contact: bool | None
    created_at: Date | None
    error_codes: list[str] | None
