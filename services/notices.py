"""Who is told by mail of what, and what became of each mail: one row per occasion and address.

An exhaustion, and a switch that left a team with nothing, is the outbox of its own mail. A notice
goes QUEUED -> SENDING -> SENT, FAILED or UNKNOWN. Only what was certainly not sent is QUEUED again:
an UNKNOWN mail may have arrived, and nobody gets the same mail twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import ENUM, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.credits import CreditExhaustion, CreditSwitch
from models.notices import CreditNotice
from models.organizations import Organization
from models.users import Membership, User
from services.access import Actor, Role, role_in_team, sees_credits
from services.settings import Settings

MOST_OCCASIONS = 100
"""Made notices of at once; more wait for the next look."""


class Occasion(StrEnum):
    EXHAUSTED = "EXHAUSTED"
    SET_UP = "SET_UP"


class NoticeState(StrEnum):
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. `is_short`: something was left, but less than a text needed.

    `remaining` and `required` are what they were at `since`; None where there is nothing to say, or
    for people who may not see figures. `until`: when it was over, if it is.
    """

    since: datetime
    until: datetime | None
    is_short: bool
    remaining: int | None
    required: int | None


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail in hand: to whom, about what. `attempts` counts this one."""

    id: int
    occasion: Occasion
    address: str
    attempts: int
    team_name: str
    is_to_superadmin: bool
    event: Event


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an attempt ended. QUEUED: certainly not sent; try again, not before `retry_at` if set."""

    state: NoticeState
    error: str | None = None
    provider_message_id: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stranded:
    """Ids of notices without a job. `queued`: give them one. `unknown`: nobody knows their fate."""

    queued: Sequence[int]
    unknown: Sequence[int]


async def make_notices(session: AsyncSession, settings: Settings) -> list[int]:
    """Turns what nobody has been told of into a row for each person to tell. Returns their ids.

    What another worker has in hand is left to it. The occasions are marked last: from then until
    the commit, a send that would open an exhaustion of the same team waits.
    """
    exhaustions = await _untold(
        session, CreditExhaustion, CreditExhaustion.notices_made_at.is_(None)
    )
    switches = await _untold(
        session,
        CreditSwitch,
        and_(
            CreditSwitch.enabled,
            CreditSwitch.remaining <= 0,
            CreditSwitch.notices_made_at.is_(None),
        ),
    )
    if not exhaustions and not switches:
        return []
    managers = (Role.ADMIN, Role.OWNER)
    made = [
        *await _add(session, _people(Occasion.EXHAUSTED, CreditExhaustion, exhaustions, managers)),
        *await _add(session, _people(Occasion.SET_UP, CreditSwitch, switches, roles=())),
        *await _add(session, _support(switches, settings.support_email)),
    ]
    await _mark_told(session, CreditExhaustion, exhaustions)
    await _mark_told(session, CreditSwitch, switches)
    return made


async def _untold(
    session: AsyncSession,
    model: type[CreditExhaustion | CreditSwitch],
    wanted: ColumnElement[bool],
) -> Sequence[int]:
    ids = await session.scalars(
        select(model.id)
        .where(wanted)
        .order_by(model.id)
        .limit(MOST_OCCASIONS)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return ids.all()


def _people(
    occasion: Occasion,
    model: type[CreditExhaustion | CreditSwitch],
    ids: Sequence[int],
    roles: Sequence[Role],
) -> Select[Any]:
    """Superadmins, and who has one of `roles` in the team; nobody suspended, here or there."""
    return (
        select(literal(occasion), model.id, model.team_id, User.id, func.lower(User.email))
        .join(User, ~User.is_suspended)
        .outerjoin(
            Membership,
            and_(Membership.user_id == User.id, Membership.organization_id == model.team_id),
        )
        .where(
            model.id.in_(ids),
            Membership.role.is_distinct_from(Role.SUSPENDED),
            or_(User.is_superadmin.is_(True), Membership.role.in_(roles)),
        )
    )


def _support(switch_ids: Sequence[int], support_email: str | None) -> Select[Any]:
    return select(
        literal(Occasion.SET_UP),
        CreditSwitch.id,
        CreditSwitch.team_id,
        null(),
        func.lower(support_email),
    ).where(CreditSwitch.id.in_(switch_ids), literal(support_email is not None))


async def _add(session: AsyncSession, rows: Select[Any]) -> Sequence[int]:
    """All of them but those that are there: for this occasion, or a set-up of the same day."""
    ids = await session.scalars(
        insert(CreditNotice)
        .from_select(["occasion", "occasion_id", "team_id", "user_id", "address"], rows)
        .on_conflict_do_nothing()
        .returning(CreditNotice.id)
    )
    return ids.all()


async def _mark_told(
    session: AsyncSession, model: type[CreditExhaustion | CreditSwitch], ids: Sequence[int]
) -> None:
    await session.execute(update(model).where(model.id.in_(ids)).values(notices_made_at=func.now()))


async def claim_notice(session: AsyncSession, settings: Settings, notice_id: int) -> Notice | None:
    """Takes a QUEUED notice in hand. None where somebody else has it, or nothing is left to do."""
    row = await session.scalar(
        update(CreditNotice)
        .where(CreditNotice.id == notice_id, CreditNotice.state == NoticeState.QUEUED)
        .values(state=NoticeState.SENDING, attempts=CreditNotice.attempts + 1)
        .returning(CreditNotice)
    )
    if row is None:
        return None
    team = await session.get_one(Organization, row.team_id)
    user = await session.get(User, row.user_id) if row.user_id is not None else None
    role = await role_in_team(session, user.id, team.id) if user else None
    occasion = Occasion(row.occasion)
    return Notice(
        id=row.id,
        occasion=occasion,
        address=row.address,
        attempts=row.attempts,
        team_name=team.name,
        is_to_superadmin=user is not None and bool(user.is_superadmin),
        event=await _event(
            session, occasion, row.occasion_id, with_figures=_sees_figures(user, role, settings)
        ),
    )


def _sees_figures(user: User | None, role: str | None, settings: Settings) -> bool:
    if user is None:
        return False
    actor = Actor(user.id, user.display_name, bool(user.is_superadmin))
    return sees_credits(actor, role, settings.credits_visible_to)


async def _event(
    session: AsyncSession, occasion: Occasion, occasion_id: int, *, with_figures: bool
) -> Event:
    if occasion is Occasion.SET_UP:
        switch = await session.get_one(CreditSwitch, occasion_id)
        remaining = switch.remaining if with_figures else None
        return Event(switch.created_at, None, False, remaining, None)
    exhaustion = await session.get_one(CreditExhaustion, occasion_id)
    return Event(
        since=exhaustion.opened_at,
        until=exhaustion.closed_at,
        is_short=exhaustion.reason == "SHORT",
        remaining=exhaustion.remaining if with_figures else None,
        required=exhaustion.required if with_figures else None,
    )


async def record_delivery(session: AsyncSession, notice_id: int, delivery: Delivery) -> bool:
    """Of a notice in hand. False if it was recorded before.

    A worker that was given up for dead may still bring the answer: it is better than UNKNOWN.
    """
    recorded = await session.scalar(
        update(CreditNotice)
        .where(
            CreditNotice.id == notice_id,
            CreditNotice.state.in_([NoticeState.SENDING, NoticeState.UNKNOWN]),
        )
        .values(
            state=delivery.state,
            error=delivery.error,
            provider_message_id=delivery.provider_message_id,
            sent_at=func.now() if delivery.state is NoticeState.SENT else None,
        )
        .returning(CreditNotice.id)
    )
    return recorded is not None


_jobs = table(
    "procrastinate_jobs",
    column("status", ENUM("todo", "doing", name="procrastinate_job_status", create_type=False)),
    column("args", JSONB),
)
_has_job = (
    select(_jobs)
    .where(
        _jobs.c.status.in_(["todo", "doing"]),
        cast(_jobs.c.args["notice_id"].astext, BigInteger) == CreditNotice.id,
    )
    .exists()
)


async def find_stranded(session: AsyncSession) -> Stranded:
    """Notices that no job will see to: jobs of dead workers must be gone. In hand, they become
    UNKNOWN; still QUEUED, they stay locked until the caller commits."""
    unknown = await session.scalars(
        update(CreditNotice)
        .where(CreditNotice.state == NoticeState.SENDING, ~_has_job)
        .values(state=NoticeState.UNKNOWN, error="The worker stopped before it had the answer.")
        .returning(CreditNotice.id)
    )
    queued = await session.scalars(
        select(CreditNotice.id)
        .where(CreditNotice.state == NoticeState.QUEUED, ~_has_job)
        .with_for_update(skip_locked=True)
    )
    return Stranded(queued=queued.all(), unknown=unknown.all())
