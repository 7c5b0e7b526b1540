"""Teams: what credits are about."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import campaigns, teams, usage
from schema.enums import CreditStatus
from schema.fields import field, plain
from schema.scalars import BigInt
from schema.types.credits import CreditPurchase
from schema.types.pages import PageInfo
from schema.types.usage import Usage
from schema.types.users import User

if TYPE_CHECKING:
    from schema.types.campaigns import Campaign
    from schema.types.organizations import Organization


@strawberry.type(description="A team and its credits. The same row, and id, as an Organization.")
class Team:
    id: strawberry.ID
    name: str
    credits_enabled: bool = plain("Whether credits cap this team's texts. For its members.")
    credit_status: CreditStatus = plain(
        "Whether this team can send: what a banner needs. For its members."
    )
    remaining_credits: BigInt | None = field(
        teams.remaining_credits,
        "Purchased less used; may be negative. For superadmins, and whom CREDITS_VISIBLE_TO names.",
    )
    purchased_credits: BigInt | None = field(
        teams.purchased_credits,
        "The sum of all purchases that were not removed. Visible like remainingCredits.",
    )
    used_credits: BigInt | None = field(
        teams.used_credits, "What its texts have cost. Visible like remainingCredits."
    )
    turning_on_would_block: bool | None = field(
        teams.turning_on_would_block,
        "Credits are off, and turning them on would stop the team at once. For its OWNERs.",
    )
    low_credits_threshold: BigInt | None = field(
        teams.low_credits_threshold,
        "Warn at so many credits, besides at LOW_CREDITS_PERCENTAGES; null: there is no such "
        "number. For superadmins.",
    )
    is_running_low: bool | None = field(
        teams.is_running_low,
        "Not blocked, but at or below a threshold: one of LOW_CREDITS_PERCENTAGES of what was "
        "bought since it was empty, or lowCreditsThreshold. For its ADMINs and OWNERs.",
    )
    running_low_mail: bool | None = field(
        teams.running_low_mail,
        "Whether mail goes out when the team is running low. For its ADMINs and OWNERs.",
    )
    credit_purchases: list[CreditPurchase] | None = field(
        teams.credit_purchases,
        "Newest first; limit at most 500. Visible like remainingCredits.",
    )
    credit_contacts: list[User] | None = field(
        teams.credit_contacts,
        "Whom to ask for credits: its OWNERs, then its ADMINs, by name, but for who is suspended. "
        "At most 5. For its members.",
    )
    usage: list[Usage] | None = field(
        usage.usage_of_team,
        "What it texted, from a day to another, both included. At most 366 days, or 3653 by month; "
        "at most 10,000 campaigns; at most 20,000 rows in a request. For its ADMINs and OWNERs.",
    )
    campaigns: list[Annotated["Campaign", strawberry.lazy("schema.types.campaigns")]] | None = (
        field(
            campaigns.campaigns_of_team,
            "Those that aren't archived, newest first; limit at most 100. For its SUPERVOLUNTEERs "
            "and above.",
        )
    )
    organization: Annotated["Organization", strawberry.lazy("schema.types.organizations")] = field(
        teams.organization, "The team as Spoke's client knows it."
    )


@strawberry.type(description="A page of teams.")
class TeamPage:
    teams: list[Team] = plain("The teams of this page, in the order asked for.")
    page_info: PageInfo = plain("Where this page stands in the whole list.")
