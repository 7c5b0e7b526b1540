"""What people are told of: a team ran out, is running low, or turned on credits and has none.

Each of these is a row, and the outbox of its own mail: here it becomes a notice for each person to
tell. A running low is told until something overtakes it; the others are told however late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnExpressionArgument,
    Select,
    and_,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from models.credits import CreditExhaustion, CreditSwitch, CreditWarning
from models.notices import CreditNotice
from models.users import Membership, User
from services.access import Role
from services.mutes import is_muted
from services.running_low import still_due
from services.settings import Settings

MOST_OCCASIONS = 100
"""Made notices of at once; more wait for the next look."""


class Occasion(StrEnum):
    EXHAUSTED = "EXHAUSTED"
    RUNNING_LOW = "RUNNING_LOW"
    SET_UP = "SET_UP"


_ROLES = {
    Occasion.EXHAUSTED: (Role.ADMIN, Role.OWNER),
    Occasion.RUNNING_LOW: (Role.ADMIN, Role.OWNER),
    Occasion.SET_UP: (),
}
"""Who in the team is told, besides superadmins."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. `is_short`: something was left, but less than a text needed.

    `remaining` and `required` are what they were at `since`; None where there is nothing to say, or
    for people who may not see figures. `until`: when it was over, if it is. `threshold`: what the
    team came down to, for superadmins.
    """

    since: datetime
    until: datetime | None = None
    is_short: bool = False
    remaining: int | None = None
    required: int | None = None
    threshold: int | None = None


Model = type[CreditExhaustion | CreditSwitch | CreditWarning]


async def make_notices(session: AsyncSession, settings: Settings) -> list[int]:
    """Turns what nobody has been told of into a row for each person to tell. Returns their ids.

    What another worker has in hand is left to it. The occasions are marked last: from then until
    the commit, a send that would open an exhaustion of the same team waits.
    """
    exhaustions = await _untold(session, CreditExhaustion)
    warnings = await _untold(session, CreditWarning)
    switches = await _untold(
        session, CreditSwitch, CreditSwitch.enabled, CreditSwitch.remaining <= 0
    )
    if not exhaustions and not warnings and not switches:
        return []
    made = [
        *await _add(session, _people(Occasion.EXHAUSTED, CreditExhaustion, exhaustions)),
        *await _add(session, _people_to_warn(warnings)),
        *await _add(session, _people(Occasion.SET_UP, CreditSwitch, switches)),
        *await _add(session, _support(switches, settings.support_email)),
    ]
    await _mark_told(session, CreditExhaustion, exhaustions)
    await _mark_told(session, CreditWarning, warnings)
    await _mark_told(session, CreditSwitch, switches)
    return made


async def _untold(
    session: AsyncSession, model: Model, *wanted: ColumnExpressionArgument[bool]
) -> Sequence[int]:
    ids = await session.scalars(
        select(model.id)
        .where(model.notices_made_at.is_(None), *wanted)
        .order_by(model.id)
        .limit(MOST_OCCASIONS)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return ids.all()


def _people(occasion: Occasion, model: Model, ids: Sequence[int]) -> Select[Any]:
    columns = (literal(occasion), model.id, model.team_id, User.id, func.lower(User.email))
    return _with_people(select(*columns).where(model.id.in_(ids)), occasion, model.team_id)


def _with_people(
    query: Select[Any], occasion: Occasion, team_id: InstrumentedAttribute[int]
) -> Select[Any]:
    """Joined with superadmins, and who has such a role in the team; nobody suspended, here or
    there."""
    return (
        query.join(User, ~User.is_suspended)
        .outerjoin(
            Membership,
            and_(Membership.user_id == User.id, Membership.organization_id == team_id),
        )
        .where(
            Membership.role.is_distinct_from(Role.SUSPENDED),
            or_(User.is_superadmin.is_(True), Membership.role.in_(_ROLES[occasion])),
        )
    )


def _people_to_warn(ids: Sequence[int]) -> Select[Any]:
    unwanted = is_muted(CreditWarning.team_id, func.lower(User.email))
    people = _people(Occasion.RUNNING_LOW, CreditWarning, ids)
    return people.where(still_due(), ~unwanted)


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


async def _mark_told(session: AsyncSession, model: Model, ids: Sequence[int]) -> None:
    await session.execute(update(model).where(model.id.in_(ids)).values(notices_made_at=func.now()))


async def is_obsolete(session: AsyncSession, notice: CreditNotice) -> bool:
    """Something has overtaken it, or this person isn't to be told of such any more."""
    occasion = Occasion(notice.occasion)
    if notice.user_id is not None and not await _is_to_be_told(session, notice, occasion):
        return True
    return occasion is Occasion.RUNNING_LOW and not await _is_due(session, notice)


async def _is_to_be_told(session: AsyncSession, notice: CreditNotice, occasion: Occasion) -> bool:
    """As when the notice was made: its mail may have waited for hours."""
    person = select(CreditNotice.user_id).where(
        CreditNotice.id == notice.id, CreditNotice.user_id == User.id
    )
    found = await session.scalar(_with_people(person, occasion, CreditNotice.team_id))
    return found is not None


async def _is_due(session: AsyncSession, notice: CreditNotice) -> bool:
    unwanted = is_muted(notice.team_id, notice.address)
    warning = select(CreditWarning.id).where(
        CreditWarning.id == notice.occasion_id, still_due(), ~unwanted
    )
    return await session.scalar(warning) is not None


async def event_of(
    session: AsyncSession, notice: CreditNotice, *, with_figures: bool, with_threshold: bool
) -> Event:
    """As the person who gets the notice may see it."""
    if notice.occasion == Occasion.SET_UP:
        switch = await session.get_one(CreditSwitch, notice.occasion_id)
        return Event(switch.created_at, remaining=switch.remaining if with_figures else None)
    if notice.occasion == Occasion.RUNNING_LOW:
        warning = await session.get_one(CreditWarning, notice.occasion_id)
        return Event(
            since=warning.created_at,
            remaining=warning.remaining if with_figures else None,
            threshold=warning.threshold if with_threshold else None,
        )
    exhaustion = await session.get_one(CreditExhaustion, notice.occasion_id)
    return Event(
        since=exhaustion.opened_at,
        until=exhaustion.closed_at,
        is_short=exhaustion.reason == "SHORT",
        remaining=exhaustion.remaining if with_figures else None,
        required=exhaustion.required if with_figures else None,
    )
