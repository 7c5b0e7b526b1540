"""The calculator: what texting so many people will cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from services.access import Actor, Role, require_role
from services.campaigns import get_campaign
from services.errors import InvalidInput
from services.first_texts import dearest_text
from services.preflight import Estimate, estimates_of_campaigns
from services.segments import Cost, Encoding, as_sent, characters_forcing_ucs2, cost_of, measure
from services.settings import Settings
from services.texts import checked

MOST_RECIPIENTS = 10_000_000
MOST_REPLIES = 100
LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class CreditEstimate:
    text: str
    recipients: int
    encoding: Encoding
    characters_used: int
    characters_left_in_segment: int
    segments_per_text: int
    credits_per_text: int
    credits: int
    characters_forcing_ucs2: Sequence[str]
    campaign_estimate: Estimate | None = None


async def estimate_credits(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    text: str | None,
    recipients: int | None,
    replies_per_recipient: float,
    media: bool,
    campaign_id: int | None = None,
) -> CreditEstimate | None:
    """One text to each recipient, and our one-segment answers to their replies.

    Anybody signed in may ask. `media`: counts as a text with media even without the markup. Of a
    campaign, it is None until the worker has counted. Raises Forbidden, InvalidInput, NotFound.
    """
    if not 0 <= replies_per_recipient <= MOST_REPLIES:
        raise InvalidInput(f"repliesPerRecipient must be from 0 to {MOST_REPLIES}.")
    replies = Decimal(str(replies_per_recipient))
    if campaign_id is not None:
        if text is not None or recipients is not None or media:
            raise InvalidInput("A campaign has its own text and recipients: leave them out.")
        return await _of_campaign(session, settings, actor, campaign_id, replies)
    if text is None or not text.strip():
        raise InvalidInput("The text is empty.")
    if recipients is None or not 1 <= recipients <= MOST_RECIPIENTS:
        raise InvalidInput(f"recipients must be from 1 to {MOST_RECIPIENTS:,}.")
    sent = as_sent(checked(text, "The text", longest=LONGEST_TEXT))
    mms = Cost(credits=settings.mms_credits, segments=1, media=1)
    cost = mms if media else cost_of(sent, mms_credits=settings.mms_credits)
    return _estimate(sent, cost, recipients, replies)


def _estimate(sent: str, cost: Cost, recipients: int, replies: Decimal) -> CreditEstimate:
    measured = measure(sent)
    return CreditEstimate(
        text=sent,
        recipients=recipients,
        encoding=measured.encoding,
        characters_used=measured.characters_used,
        characters_left_in_segment=measured.characters_left,
        segments_per_text=cost.segments,
        credits_per_text=cost.credits,
        credits=recipients * cost.credits + math.ceil(recipients * replies),
        characters_forcing_ucs2=characters_forcing_ucs2(sent),
    )


async def _of_campaign(
    session: AsyncSession, settings: Settings, actor: Actor, campaign_id: int, replies: Decimal
) -> CreditEstimate | None:
    """The dearest text stands for all, but the credits are each one's own."""
    campaign = await get_campaign(session, actor, campaign_id=campaign_id)
    await require_role(session, actor, campaign.organization_id, Role.SUPERVOLUNTEER)
    [kept] = await estimates_of_campaigns(session, [campaign_id])
    if kept is None:
        return None
    text, cost = await dearest_text(
        session,
        settings,
        campaign_id=campaign_id,
        team_id=kept.team_id,
        contact_id=kept.dearest_contact_id,
    )
    if not text:
        raise InvalidInput("This campaign has no script yet.")
    return replace(
        _estimate(text, cost, kept.contacts, replies),
        credits=kept.credits_needed + math.ceil(kept.contacts * replies),
        campaign_estimate=kept,
    )
