"""The calculator: what texting so many people will cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.access import Actor
from services.errors import InvalidInput
from services.segments import Cost, Encoding, as_sent, characters_forcing_ucs2, cost_of, measure
from services.settings import Settings
from services.texts import checked

MOST_RECIPIENTS = 10_000_000
MOST_REPLIES = 100
LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class CreditEstimate:
    encoding: Encoding
    characters_used: int
    characters_left_in_segment: int
    segments_per_text: int
    credits_per_text: int
    credits: int
    characters_forcing_ucs2: Sequence[str]


def estimate_credits(
    settings: Settings,
    _actor: Actor,
    *,
    text: str,
    recipients: int,
    replies_per_recipient: float,
    media: bool,
) -> CreditEstimate:
    """One text to each recipient, and our one-segment answers to their replies.

    Anybody signed in may ask. `media`: counts as a text with media even without the markup.
    Raises InvalidInput.
    """
    if not text.strip():
        raise InvalidInput("The text is empty.")
    if not 1 <= recipients <= MOST_RECIPIENTS:
        raise InvalidInput(f"recipients must be from 1 to {MOST_RECIPIENTS:,}.")
    if not 0 <= replies_per_recipient <= MOST_REPLIES:
        raise InvalidInput(f"repliesPerRecipient must be from 0 to {MOST_REPLIES}.")
    sent = as_sent(checked(text, "The text", longest=LONGEST_TEXT))
    measured = measure(sent)
    mms = Cost(credits=settings.mms_credits, segments=1, media=1)
    cost = mms if media else cost_of(sent, mms_credits=settings.mms_credits)
    replies = math.ceil(recipients * Decimal(str(replies_per_recipient)))
    return CreditEstimate(
        encoding=measured.encoding,
        characters_used=measured.characters_used,
        characters_left_in_segment=measured.characters_left,
        segments_per_text=cost.segments,
        credits_per_text=cost.credits,
        credits=recipients * cost.credits + replies,
        characters_forcing_ucs2=characters_forcing_ucs2(sent),
    )
