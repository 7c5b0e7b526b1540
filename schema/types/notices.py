"""Mail that was made for people."""

import strawberry

from resolvers import notices
from schema.enums import CreditNoticeOccasion, CreditNoticeState
from schema.fields import field, plain
from schema.scalars import Date


@strawberry.type(description="One mail about a team's credits, to one person.")
class CreditNotice:
    id: strawberry.ID
    occasion: CreditNoticeOccasion = plain("What it is about.")
    state: CreditNoticeState = plain("What became of it.")
    address: str = plain("To whom it goes.")
    attempts: int = plain("How often it was handed to the mail provider.")
    error: str | None = field(
        notices.error, "Why it didn't get on, as the mail provider said. For superadmins."
    )
    created_at: Date = plain("When it was made.")
    sent_at: Date | None = plain("When the mail provider took it.")
    delivered_at: Date | None = plain("When the other side's mail server took it, as reported.")
