"""What clients send."""

import strawberry

from schema.scalars import Phone


@strawberry.input(description="A text to send, as Spoke's client describes it.")
class MessageInput:
    text: str | None = strawberry.field(default=None, description="What the contact will read.")
    contact_number: Phone | None = strawberry.field(
        default=None, description="The contact's number; another number is refused."
    )
    assignment_id: str | None = strawberry.field(
        default=None, description="The contact's assignment as the sender knows it."
    )
    user_id: str | None = strawberry.field(
        default=None, description="Ignored: the sender is the person signed in."
    )
    version_hash: str | None = strawberry.field(
        default=None, description="Which version of the script the text was made from."
    )
    campaign_variable_ids: list[str] | None = strawberry.field(
        default=None, description="Campaign variables that the text used."
    )


@strawberry.input(description="Which contacts of an assignment.")
class ContactsFilter:
    message_status: str | None = strawberry.field(
        default=None,
        description="needsMessage, needsResponse, needsMessageOrResponse, convo, messaged or "
        "closed; several separated by commas.",
    )
    is_opted_out: bool | None = strawberry.field(
        default=None, description="Only those who have (not) opted out."
    )
    valid_timezone: bool | None = strawberry.field(
        default=None, description="Only those within (outside) texting hours now."
    )
    include_past_due: bool | None = strawberry.field(
        default=None, description="false: leave out campaigns past their due date."
    )
