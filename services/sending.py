"""Sending a text: Spoke's checks in Spoke's order and words, then credits.

Where the order and the sentences come from: Spoke v10.4's sendMessage, which its client matches
letter by letter.
"""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from services import clock
from services.access import Actor, Role, has_role, sees_credits
from services.campaigns import get_assignment
from services.errors import (
    AssignmentChanged,
    AssignmentOfAnother,
    Conflict,
    ContactOptedOut,
    Forbidden,
    InsufficientCredits,
    InvalidInput,
    MessageTooLong,
    MonthlyLimitExceeded,
    NotFound,
    NotSupported,
    OutsideTextingHours,
    ProviderUnsupported,
    SenderSuspended,
    ServiceError,
)
from services.link_domains import has_link, with_domain
from services.messaging_services import SPOKEN
from services.metrics import count_send
from services.segments import Cost, as_sent, cost_of
from services.send_facts import ContactFacts, Question
from services.send_statement import Outcome, Send
from services.send_writer import SendWriter
from services.settings import Settings
from services.texts import checked, idempotency_key

LONGEST_INPUT = 20_000
"""Characters beyond which a text isn't even looked at; MAX_MESSAGE_LENGTH refuses far earlier."""
MOST_VARIABLES = 200
LOOKS = 5
SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True, slots=True)
class Draft:
    """A text as its sender wants it sent. `text` has every replacement applied."""

    contact_id: int
    assignment_id: int | None
    contact_number: str | None
    text: str
    version_hash: str | None
    campaign_variable_ids: tuple[int, ...]
    idempotency_key: str | None

    @property
    def fingerprint(self) -> str:
        """What a repeat with the same key must agree in."""
        return hashlib.sha256(f"{self.contact_id}\0{self.text}".encode()).hexdigest()


def make_draft(
    actor: Actor,
    *,
    contact_id: int,
    text: str | None,
    assignment_id: int | None = None,
    contact_number: str | None = None,
    version_hash: str | None = None,
    campaign_variable_ids: tuple[int, ...] = (),
    key: str | None = None,
) -> Draft:
    """Raises InvalidInput for what can never be sent."""
    if text is None or not text.strip():
        raise InvalidInput("The text is empty.")
    if len(campaign_variable_ids) > MOST_VARIABLES:
        raise InvalidInput(f"A text has at most {MOST_VARIABLES} campaign variables.")
    return Draft(
        contact_id=contact_id,
        assignment_id=assignment_id,
        contact_number=contact_number,
        text=as_sent(checked(text, "The text", longest=LONGEST_INPUT)),
        version_hash=checked(version_hash, "The version hash", longest=255)
        if version_hash is not None
        else None,
        campaign_variable_ids=campaign_variable_ids,
        idempotency_key=idempotency_key(key),
    )


def make_draft_or_none(actor: Actor, *, key: str | None = None, **wanted: Any) -> Draft | None:
    """For a text without which the rest stands: None for what can never be sent.

    Raises InvalidInput for the key, which may be that of another text."""
    key = idempotency_key(key)
    try:
        return make_draft(actor, key=key, **wanted)
    except InvalidInput:
        return None


async def send_message(writer: SendWriter, settings: Settings, actor: Actor, draft: Draft) -> int:
    """Accepts the text, or raises why not. Returns the contact's id.

    A contact that somebody else holds or has just changed is looked at again a few times, then
    raises Conflict. The repeat of an accepted keyed send changes nothing.
    """
    try:
        count_send(await _sent(writer, settings, actor, draft))
    except ServiceError as refusal:
        count_send(refusal.code)
        raise
    return draft.contact_id


async def bulk_send_messages(session: AsyncSession, actor: Actor, *, assignment_id: int) -> None:
    """Spoke's API has it. For its texter, and SUPERVOLUNTEERs and above.

    Raises Forbidden, NotFound; else NotSupported: without a person for each text, nobody is asked
    whether it may go.
    """
    await get_assignment(session, actor, assignment_id=assignment_id)
    raise NotSupported


async def _sent(writer: SendWriter, settings: Settings, actor: Actor, draft: Draft) -> str:
    """ACCEPTED or REPEATED."""
    question = Question(draft.contact_id, actor.user_id, draft.idempotency_key)
    for look in range(LOOKS):
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS * look)
        facts = await writer.facts(question)
        if facts.remembered is not None:
            require_same(facts.remembered, draft)
            return "REPEATED"
        if facts.contact is None:
            raise NotFound("There is no such contact in an active campaign.")
        send = await permitted(writer, settings, actor, draft, facts.contact)
        written = await writer.write(send, campaign_id=facts.contact.campaign_id)
        if written.outcome is Outcome.ACCEPTED:
            return "ACCEPTED"
        # A keyed one may be the repeat of a text that has just used up the rest: the facts know.
        if written.outcome is Outcome.INSUFFICIENT and draft.idempotency_key is None:
            raise insufficient_credits(facts.contact, written.remaining, send.cost, actor, settings)
    raise Conflict


async def permitted(
    writer: SendWriter, settings: Settings, actor: Actor, draft: Draft, contact: ContactFacts
) -> Send:
    """The send, once every check has passed. Raises the first that hasn't."""
    require_may_text(contact, draft, actor)
    if contact.is_opted_out:
        await writer.close_contact(contact.contact_id)
        raise ContactOptedOut
    now = clock.now()
    require_sendable_now(contact, draft, settings, now)
    # A crowd in front of an empty account is turned away without a lock or a write.
    is_blocked = contact.credits_enabled and contact.exhaustion_open
    is_empty = is_blocked and contact.balance <= 0
    text = draft.text if is_empty else await _as_linked(writer, draft.text, contact)
    cost = cost_of(text, mms_credits=settings.mms_credits)
    if is_blocked and contact.balance < cost.credits:
        raise insufficient_credits(contact, contact.balance, cost.credits, actor, settings)
    return _send(actor, draft, contact, text, cost, now)


async def permitted_confirmation(
    writer: SendWriter, settings: Settings, actor: Actor, draft: Draft, contact: ContactFacts
) -> Send:
    """Of an opt-out: never refused for lack of credits, nor for the opt-out. Raises what is."""
    require_may_text(contact, draft, actor)
    now = clock.now()
    require_sendable_now(contact, draft, settings, now)
    text = await _as_linked(writer, draft.text, contact)
    cost = cost_of(text, mms_credits=settings.mms_credits)
    return replace(_send(actor, draft, contact, text, cost, now), forced=True)


async def _as_linked(writer: SendWriter, text: str, contact: ContactFacts) -> str:
    """With the team's link domain whose turn it is. Any other part of a text stays as it is."""
    domains = contact.link_domains
    if not domains or not has_link(text, domains):
        return text
    domain = await writer.next_link_domain(contact.team_id)
    return text if domain is None else with_domain(text, domains, domain)


def _send(
    actor: Actor, draft: Draft, contact: ContactFacts, text: str, cost: Cost, now: datetime
) -> Send:
    """`text`: as it goes out. Repeats must agree in how it was wanted."""
    assert contact.service is not None
    return Send(
        team_id=contact.team_id,
        contact_id=contact.contact_id,
        contact_assignment_id=contact.contact_assignment_id,
        assignment_id=contact.contact_assignment_id,
        user_id=actor.user_id,
        contact_number=contact.cell,
        text=text,
        cost=cost.credits,
        segments=cost.segments,
        media=cost.media,
        send_before=send_before(contact, now),
        version_hash=draft.version_hash,
        campaign_variable_ids=draft.campaign_variable_ids,
        idempotency_key=draft.idempotency_key,
        fingerprint=draft.fingerprint if draft.idempotency_key else None,
        service=contact.service,
        messaging_service_sid=contact.messaging_service_sid,
        sticks=contact.sticks,
    )


def require_may_text(contact: ContactFacts, draft: Draft, actor: Actor) -> None:
    """Who may text this contact at all: checks 2 to 6 of Spoke's contract."""
    if contact.role is None:
        raise Forbidden
    if contact.role == Role.SUSPENDED:
        raise SenderSuspended
    if _beyond_monthly_limit(contact):
        raise MonthlyLimitExceeded
    if contact.contact_assignment_id != draft.assignment_id:
        raise AssignmentChanged
    is_own = contact.assigned_user_id in (None, actor.user_id)
    if not is_own and not has_role(contact.role, Role.SUPERVOLUNTEER):
        raise AssignmentOfAnother


def _beyond_monthly_limit(contact: ContactFacts) -> bool:
    return (
        contact.monthly_limit is not None
        and contact.monthly_sent is not None
        and contact.monthly_sent > contact.monthly_limit
        and contact.message_status == "needsMessage"
    )


def require_sendable_now(
    contact: ContactFacts, draft: Draft, settings: Settings, now: datetime
) -> None:
    """Whether this text can go to this contact at this time: checks 8 and 9."""
    if not within_texting_hours(contact, now):
        raise OutsideTextingHours
    if len(draft.text.encode("utf-16-le")) // 2 > settings.max_message_length:
        raise MessageTooLong
    if draft.contact_number is not None and draft.contact_number != contact.cell:
        raise InvalidInput("That is not this contact's number.")
    if contact.service not in SPOKEN:
        raise ProviderUnsupported


def within_texting_hours(contact: ContactFacts, now: datetime) -> bool:
    """[start, end) in the contact's zone, else the campaign's; never where neither is known."""
    start, end = contact.texting_hours_start, contact.texting_hours_end
    if (start, end) == (0, 24):
        return True
    zone = _zone(contact)
    return zone is not None and start <= now.astimezone(zone).hour < end


def send_before(contact: ContactFacts, now: datetime) -> datetime:
    """When the text has lost its permission to go out: the end of today's texting hours."""
    zone = _zone(contact)
    if zone is None or (contact.texting_hours_start, contact.texting_hours_end) == (0, 24):
        return now + timedelta(days=1)
    midnight = now.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(hours=contact.texting_hours_end)).replace(tzinfo=zone)


def _zone(contact: ContactFacts) -> ZoneInfo | None:
    for name in (contact.contact_timezone, contact.campaign_timezone):
        try:
            if name:
                return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return None


def require_same(fingerprint: bytes, draft: Draft) -> None:
    if fingerprint.hex() != draft.fingerprint:
        raise InvalidInput("This idempotency key was used for another text or contact.")


def insufficient_credits(
    contact: ContactFacts, remaining: int, required: int, actor: Actor, settings: Settings
) -> InsufficientCredits:
    details: dict[str, Any] = {"teamId": str(contact.team_id), "requiredCredits": required}
    if sees_credits(actor, contact.role, settings.credits_visible_to):
        details["remainingCredits"] = remaining
    return InsufficientCredits(**details)
