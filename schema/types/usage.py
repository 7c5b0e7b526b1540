"""Usage: how much was texted."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import usage
from schema.fields import field, plain
from schema.scalars import BigInt
from schema.types.pages import PageInfo

if TYPE_CHECKING:
    from schema.types.campaigns import Campaign
    from schema.types.teams import Team


@strawberry.type(
    description="What a team texted on a day, in a month, in a campaign, or in a whole period. "
    "Days are UTC; a text belongs to that on which it was accepted."
)
class Usage:
    team: Annotated["Team", strawberry.lazy("schema.types.teams")] = plain("Whose texts these are.")
    day: str | None = plain("By day: which, as 2026-11-22. In UTC.")
    month: str | None = plain("By month: which, as 2026-11. In UTC, and only days of the period.")
    campaign: Annotated["Campaign", strawberry.lazy("schema.types.campaigns")] | None = field(
        usage.campaign, "By campaign: which. null when it is gone."
    )
    texts: BigInt = plain("Texts that were accepted.")
    segments: BigInt = plain(
        "Their segments: as the provider counted them, as counted here while it hasn't, none for "
        "texts that no carrier took. A text that Spoke sent itself counts as one segment until "
        "its provider has told."
    )
    media_texts: BigInt = plain("Texts with media, which are among the texts.")
    failed: BigInt = plain("Texts that could not be delivered, which are among the texts.")
    credits_used: BigInt | None = field(
        usage.credits_used,
        "What they cost, after settling and giving back. Visible like remainingCredits.",
    )


@strawberry.type(description="A page of the account's usage.")
class UsagePage:
    rows: list[Usage] = plain("One for each team that texted, by name.")
    page_info: PageInfo = plain("Where this page stands in the whole list.")
