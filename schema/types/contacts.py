"""Contacts and opt-outs."""

import strawberry

from resolvers import contacts, tags
from schema.fields import field
from schema.scalars import JSON, Phone
from schema.types.messages import Message
from schema.types.scripts import AnswerOption
from schema.types.tags import CampaignContactTag


@strawberry.type(description="Somebody who asked not to be texted.")
class OptOut:
    id: strawberry.ID | None
    cell: str | None


@strawberry.type(description="Where somebody lives, by their zip code.")
class Location:
    city: str | None
    state: str | None


@strawberry.type(description="A person who is texted in a campaign.")
class CampaignContact:
    id: strawberry.ID
    assignment_id: str | None
    external_id: str | None = strawberry.field(name="external_id")
    first_name: str
    last_name: str
    cell: Phone
    zip: str | None
    custom_fields: JSON | None
    timezone: str | None
    message_status: str
    messages: list[Message] = field(contacts.messages, "The conversation, oldest first.")
    opt_out: OptOut | None = field(contacts.opt_out, "The opt-out that stops texts to them.")
    location: Location | None = field(contacts.location, "Null for an unknown zip code.")
    question_response_values: list[AnswerOption] = field(
        contacts.question_responses, "What they answered to the script's questions."
    )
    tags: list[CampaignContactTag] = field(tags.contact_tags, "The marks on the conversation.")
