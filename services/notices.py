"""What becomes of each mail that somebody shall get: a notice, one for each occasion and address.

It goes QUEUED -> SENDING -> SENT, FAILED or UNKNOWN. Only what was certainly not sent is QUEUED
again: an UNKNOWN mail may have arrived, and nobody gets the same mail twice. What was overtaken by
events before it left, or was for somebody whom it no longer concerns, is OBSOLETE. DELIVERED,
BOUNCED and DROPPED is what SendGrid reports later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, cast, column, func, select, table, update
from sqlalchemy.dialects.postgresql import ENUM, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from models.notices import CreditNotice
from models.organizations import Organization
from models.users import User
from services.access import Actor, Role, require_role, role_in_team, sees_credits
from services.credits import require_team
from services.occasions import Event, Occasion, event_of, is_obsolete
from services.pages import require_page
from services.settings import Settings

MOST_NOTICES = 500
LONGEST_ERROR = 500
"""Characters that are kept of it."""


class NoticeState(StrEnum):
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    OBSOLETE = "OBSOLETE"
    DELIVERED = "DELIVERED"
    BOUNCED = "BOUNCED"
    DROPPED = "DROPPED"


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail in hand: to whom, about what. `attempts` counts this one."""

    id: int
    occasion: Occasion
    address: str
    attempts: int
    team_id: int
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


async def claim_notice(session: AsyncSession, settings: Settings, notice_id: int) -> Notice | None:
    """Takes a QUEUED notice in hand. None where somebody else has it, or it came to nothing."""
    row = await session.scalar(
        update(CreditNotice)
        .where(CreditNotice.id == notice_id, CreditNotice.state == NoticeState.QUEUED)
        .values(state=NoticeState.SENDING, attempts=CreditNotice.attempts + 1)
        .returning(CreditNotice)
    )
    if row is None:
        return None
    if await is_obsolete(session, row):
        row.state, row.attempts = NoticeState.OBSOLETE, row.attempts - 1
        return None
    team = await session.get_one(Organization, row.team_id)
    user = await session.get(User, row.user_id) if row.user_id is not None else None
    role = await role_in_team(session, user.id, team.id) if user else None
    is_to_superadmin = user is not None and bool(user.is_superadmin)
    return Notice(
        id=row.id,
        occasion=Occasion(row.occasion),
        address=row.address,
        attempts=row.attempts,
        team_id=team.id,
        team_name=team.name,
        is_to_superadmin=is_to_superadmin,
        event=await event_of(
            session,
            row,
            with_figures=_sees_figures(user, role, settings),
            with_threshold=is_to_superadmin,
        ),
    )


def _sees_figures(user: User | None, role: str | None, settings: Settings) -> bool:
    if user is None:
        return False
    actor = Actor(user.id, user.display_name, bool(user.is_superadmin))
    return sees_credits(actor, role, settings.credits_visible_to)


async def record_delivery(session: AsyncSession, notice: Notice, delivery: Delivery) -> bool:
    """Of a notice in hand. False if it was recorded before.

    A worker that was given up for dead may still bring the answer: it is better than UNKNOWN. But
    never that of an attempt that was followed by another, whose number is the fence.
    """
    recorded = await session.scalar(
        update(CreditNotice)
        .where(
            CreditNotice.id == notice.id,
            CreditNotice.attempts == notice.attempts,
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
    UNKNOWN; still QUEUED, they stay locked until the caller commits.

    What somebody else has locked is left for the next look: waiting for one notice while it has
    others locked, this would deadlock with reports of the same.
    """
    queued = await _lock_jobless(session, NoticeState.QUEUED)
    unknown = await _lock_jobless(session, NoticeState.SENDING)
    await session.execute(
        update(CreditNotice)
        .where(CreditNotice.id.in_(unknown))
        .values(state=NoticeState.UNKNOWN, error="The worker stopped before it had the answer.")
    )
    return Stranded(queued=queued, unknown=unknown)


async def _lock_jobless(session: AsyncSession, state: NoticeState) -> Sequence[int]:
    ids = await session.scalars(
        select(CreditNotice.id)
        .where(CreditNotice.state == state, ~_has_job)
        .with_for_update(skip_locked=True)
    )
    return ids.all()


async def list_notices(
    session: AsyncSession, actor: Actor, *, team_id: int, limit: int, offset: int
) -> Sequence[CreditNotice]:
    """The newest first. Raises Forbidden, InvalidInput, NotFound."""
    await require_role(session, actor, team_id, Role.ADMIN)
    require_page(limit, offset, most=MOST_NOTICES)
    await require_team(session, team_id)
    notices = await session.scalars(
        select(CreditNotice)
        .where(CreditNotice.team_id == team_id)
        .order_by(CreditNotice.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return notices.all()
