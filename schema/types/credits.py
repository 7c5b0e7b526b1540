"""Purchases and estimates of credits."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import credits
from schema.enums import Encoding
from schema.fields import field, plain
from schema.scalars import BigInt, Date
from schema.types.users import User

if TYPE_CHECKING:
    from schema.types.teams import Team


@strawberry.type(description="One instance of credits being added to a team.")
class CreditPurchase:
    id: strawberry.ID
    team: Annotated["Team", strawberry.lazy("schema.types.teams")] = field(
        credits.team, "Whose credits these are."
    )
    amount: int = plain("How many credits were added.")
    remaining_after: BigInt = field(
        credits.remaining_after, "The team's remaining credits right after they were added."
    )
    note: str | None = plain("Why, in the words of who added them.")
    purchased_by: User | None = field(
        credits.purchased_by, "Who added them; null when that person is gone."
    )
    purchased_by_name: str = plain("Who added them, by the name at that time.")
    created_at: Date = plain("When they were added.")
    removed_at: Date | None = plain("When the purchase was removed; null while it counts.")
    removed_by: User | None = field(
        credits.removed_by, "Who removed it; null while it counts or when that person is gone."
    )
    removed_by_name: str | None = plain("Who removed it, by the name at that time.")


@strawberry.type(description="What a campaign's first texts will need, as counted a while ago.")
class CampaignCreditEstimate:
    contacts: int = plain("Contacts still to be texted: not opted out, not archived.")
    credits_needed: BigInt = plain(
        "Credits for a text to each: the dearest option of the first script, with the contact's "
        "own fields. A credit for each while there is no script."
    )
    credits_needed_margin: BigInt = plain(
        "How far off creditsNeeded may be, 95 times in 100. 0 where each contact was looked at."
    )
    is_sampled: bool = plain(
        "Whether creditsNeeded is extrapolated from contacts chosen at random: beyond 50,000."
    )
    computed_at: Date = plain("When it was so.")
    age_seconds: int = plain("How long ago that is.")
    is_computing: bool = plain(
        "Whether newer figures are on their way, since these are older than 10 minutes or the "
        "campaign was changed. Ask again in a second."
    )
    remaining: BigInt | None = field(
        credits.remaining, "The team's credits now. Visible like Team.remainingCredits."
    )
    enough: bool = field(
        credits.is_enough,
        "Whether the team's credits now cover creditsNeeded with its margin, or credits are off.",
    )


@strawberry.type(description="What texting so many people will cost.")
class CreditEstimate:
    text: str = plain("The text that was counted; of a campaign, the dearest one.")
    recipients: int = plain("To how many; of a campaign, its contacts still to be texted.")
    encoding: Encoding = plain("How the text will be sent.")
    characters_used: int = plain("In units of the encoding: septets or UTF-16 code units.")
    characters_left_in_segment: int = plain("How many more fit before a text costs more.")
    segments_per_text: int = plain("Segments of one text; a text with media counts as one.")
    credits_per_text: int = plain("Credits for one text: its segments, or MMS_CREDITS.")
    credits: BigInt = plain(
        "recipients x creditsPerText, and one credit for an answer to each reply, rounded up. Of a "
        "campaign, its creditsNeeded instead of the product: not every text is the dearest."
    )
    campaign_estimate: CampaignCreditEstimate | None = plain(
        "What it rests on; null where no campaign was asked for."
    )
    characters_forcing_ucs2: list[str] = plain(
        "The characters that GSM-7 lacks, in order of appearance: without them a text could be "
        "more than twice as long."
    )
