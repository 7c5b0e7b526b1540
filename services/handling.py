"""Handling a conversation: all that a texter does to it at once, as product.md's decision 14 says.

A text that is refused takes the answers and the closing with it, so that the texter can send again
what they see. An opt-out always stands, whether its confirmation can be sent or not; so do tags,
with the text that goes with them or without.

Everything is checked before a transaction is opened: while one connection is held, nobody waits for
a second. The texts come first in it, since accounts are locked before contacts everywhere.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import psycopg
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Campaign
from models.contacts import CampaignContact
from models.database import driver_connection
from services.access import Actor
from services.answers import Answer, take_answers_back, write_answers
from services.contacts import lock_contact
from services.errors import (
    Conflict,
    Forbidden,
    InsufficientCredits,
    InvalidInput,
    NotFound,
    Refused,
    ServiceError,
    ServiceUnavailable,
)
from services.metrics import count_send
from services.opt_outs import record_opt_out
from services.send_facts import ContactFacts, Question
from services.send_statement import KEY_INDEX, Outcome, Send, Written
from services.send_writer import SendWriter, write_alone
from services.sending import (
    LOOKS,
    SECONDS_BETWEEN_LOOKS,
    Draft,
    insufficient_credits,
    permitted,
    permitted_confirmation,
    require_same,
    send_message,
)
from services.settings import Settings
from services.tags import is_escalation, tag_contact
from services.texts import checked

log = structlog.get_logger(__name__)

LONGEST_REASON = 1000
MOST_TAGS_AT_ONCE = 200
ROLLED_BACK = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
Transaction = Callable[[], AbstractAsyncContextManager[AsyncSession]]


@dataclass(frozen=True, slots=True)
class OptOutWish:
    """`cell`: as the client says it. `confirmation`: what the contact is told, if anything."""

    cell: str
    reason: str
    confirmation: Draft | None


@dataclass(frozen=True, slots=True)
class TagWish:
    """Ids of tags to set and to take away. `text`: what the contact is told with that, if it can
    be, whoever has the conversation. Raises InvalidInput for too many."""

    added: Sequence[int]
    removed: Sequence[int]
    text: Draft | None

    def __post_init__(self) -> None:
        if max(len(self.added), len(self.removed)) > MOST_TAGS_AT_ONCE:
            raise InvalidInput(f"Those are more than {MOST_TAGS_AT_ONCE} tags.")


@dataclass(frozen=True, slots=True)
class Handling:
    """What is to be done. `draft`: a text to send."""

    contact_id: int
    draft: Draft | None = None
    answers: Sequence[Answer] = ()
    deleted_step_ids: Sequence[int] = ()
    opt_out: OptOutWish | None = None
    tags: TagWish | None = None
    closes: bool = False

    @property
    def is_plain(self) -> bool:
        rest = (self.answers, self.deleted_step_ids, self.opt_out, self.tags, self.closes)
        return not any(rest)

    @property
    def is_only_opt_out(self) -> bool:
        return self == Handling(self.contact_id, opt_out=self.opt_out)

    @property
    def extra(self) -> Draft | None:
        """A text without which the rest stands."""
        if self.opt_out:
            return self.opt_out.confirmation
        return self.tags.text if self.tags else None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What has passed the checks. `contact` is None where no text is wanted."""

    handling: Handling
    contact: ContactFacts | None = None
    text: Send | None = None
    extra: Send | None = None


class _LookAgain(Exception):
    """Nothing was written: somebody else has changed or holds what this rests on."""


@dataclass(frozen=True, slots=True)
class _Hands:
    """Whose, and with what."""

    transaction: Transaction
    writer: SendWriter
    settings: Settings
    actor: Actor


async def handle_conversation(
    transaction: Transaction,
    writer: SendWriter,
    settings: Settings,
    actor: Actor,
    handling: Handling,
) -> int:
    """All of it or, but for the opt-out, nothing. Returns the contact's id.

    `transaction`: opens a unit of work. A plain text shares its own with others. Raises what
    sending and answering raise.
    """
    if handling.draft and handling.is_plain:
        return await send_message(writer, settings, actor, handling.draft)
    hands = _Hands(transaction, writer, settings, actor)
    try:
        await _handle(hands, handling)
    except (Refused, InvalidInput, Forbidden, NotFound) as refusal:
        if handling.draft:
            count_send(refusal.code)
        if handling.opt_out and not handling.is_only_opt_out:
            await _handle(hands, Handling(handling.contact_id, opt_out=handling.opt_out))
        raise
    return handling.contact_id


async def _handle(hands: _Hands, handling: Handling) -> None:
    for look in range(LOOKS):
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS * look)
        plan = await _planned(hands, handling)
        if plan is None or await _is_written(hands, plan):
            return
    if handling.draft:
        raise Conflict
    await _is_written(hands, _Plan(handling))


async def _planned(hands: _Hands, handling: Handling) -> _Plan | None:
    """None for the repeat of what was done. Raises why the text can't be sent."""
    draft = handling.draft
    keyed = draft or handling.extra
    if not keyed:
        return _Plan(handling)
    question = Question(handling.contact_id, hands.actor.user_id, keyed.idempotency_key)
    facts = await hands.writer.facts(question)
    if facts.remembered is not None:
        require_same(facts.remembered, keyed)
        return None
    if facts.contact is None:
        if draft:
            raise NotFound("There is no such contact in an active campaign.")
        return _Plan(handling)  # nothing is told there
    return _Plan(
        handling,
        facts.contact,
        await permitted(hands.writer, hands.settings, hands.actor, draft, facts.contact)
        if draft
        else None,
        await _extra(hands, handling, facts.contact),
    )


async def _extra(hands: _Hands, handling: Handling, contact: ContactFacts) -> Send | None:
    draft = handling.extra
    if draft is None:
        return None
    if handling.tags:
        draft = replace(draft, assignment_id=contact.contact_assignment_id)
    passes = permitted_confirmation if handling.opt_out else permitted
    try:
        return await passes(hands.writer, hands.settings, hands.actor, draft, contact)
    except ServiceError as refusal:
        _do_without(contact.contact_id, refusal.code)
        return None


def _do_without(contact_id: int, code: str) -> None:
    count_send(code)
    log.info("text_left_out", contact_id=contact_id, code=code)


async def _is_written(hands: _Hands, plan: _Plan) -> bool:
    """False where one must look again. Raises InsufficientCredits, once the exhaustion that the
    refusal opened is committed."""
    sent: list[tuple[Send, Written]] = []
    try:
        async with hands.transaction() as session:
            is_accepted = await _write_texts(session, plan, sent)
            if is_accepted:
                await _write_rest(session, hands, plan.handling)
    except _LookAgain:
        return False
    for send, written in sent:
        hands.writer.ring(send, written)
        if written.outcome is Outcome.ACCEPTED:
            count_send(written.outcome)
        elif send is plan.extra:
            _do_without(send.contact_id, InsufficientCredits.code)
    if not is_accepted:
        _refuse(hands, plan, sent[0][1])
    return is_accepted


def _refuse(hands: _Hands, plan: _Plan, written: Written) -> None:
    """But a keyed text is looked at again: it may be the repeat of what used up the rest."""
    assert plan.contact is not None and plan.text is not None
    if plan.text.idempotency_key is None:
        raise insufficient_credits(
            plan.contact, written.remaining, plan.text.cost, hands.actor, hands.settings
        )


async def _write_texts(
    session: AsyncSession, plan: _Plan, sent: list[tuple[Send, Written]]
) -> bool:
    """Whether the text was accepted, if there is one."""
    if plan.contact is None:
        return True
    if plan.text:
        written = await _write(session, plan.text, plan.contact)
        sent.append((plan.text, written))
        if written.outcome is Outcome.INSUFFICIENT:
            return False
    if plan.extra:
        tags = plan.handling.tags
        is_escalated = tags is not None and await is_escalation(session, tags.added)
        extra = replace(plan.extra, keeps_status=is_escalated)
        sent.append((plan.extra, await _write(session, extra, plan.contact)))
    return True


async def _write(session: AsyncSession, send: Send, contact: ContactFacts) -> Written:
    """Within a savepoint. It also sees to it that the session's transaction has begun: statements
    written by hand would otherwise commit by themselves."""
    try:
        async with session.begin_nested():
            connection = await driver_connection(session)
            written = await write_alone(connection, send, campaign_id=contact.campaign_id)
    except (Conflict, *ROLLED_BACK) as error:
        raise _LookAgain from error
    except psycopg.OperationalError as error:
        raise ServiceUnavailable from error
    except psycopg.IntegrityError as error:
        if error.diag.constraint_name == KEY_INDEX:
            raise _LookAgain from error
        raise
    if written.outcome not in (Outcome.ACCEPTED, Outcome.INSUFFICIENT):
        raise _LookAgain
    return written


async def _write_rest(session: AsyncSession, hands: _Hands, handling: Handling) -> None:
    contact = await lock_contact(session, hands.actor, contact_id=handling.contact_id)
    if handling.answers:
        await write_answers(session, contact, handling.answers)
    if handling.deleted_step_ids:
        await take_answers_back(session, contact, handling.deleted_step_ids)
    if handling.opt_out:
        await _opt_out(session, hands.settings, contact, handling.opt_out)
    if handling.tags:
        tags = handling.tags
        await tag_contact(session, hands.actor, contact, added=tags.added, removed=tags.removed)
    if handling.closes or handling.opt_out:
        contact.message_status = "closed"


async def _opt_out(
    session: AsyncSession, settings: Settings, contact: CampaignContact, wish: OptOutWish
) -> None:
    if wish.cell != contact.cell:
        raise InvalidInput("That is not this contact's number.")
    campaign = await session.get_one(Campaign, contact.campaign_id)
    await record_opt_out(
        await driver_connection(session),
        settings,
        cell=contact.cell,
        team_id=campaign.organization_id,
        assignment_id=contact.assignment_id,
        reason=checked(wish.reason, "The reason", longest=LONGEST_REASON),
    )
