"""When a team is running low: its thresholds, and one warning each time it comes down to one.

How many of its thresholds a team has been warned of is kept in its account. Sending never looks at
any of this: the worker asks each second. Only adding credits arms thresholds again, so that
credits given back for failed texts bring no second mail.

Thresholds are shares of what was bought since the team was last empty. A team that is refilled in
time never is: what it bought would grow until its shares were more than the team ever holds, and
nobody be warned again. So an addition at the lowest share, too, starts anew, with what is left.
"""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Integer, and_, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.credits import CreditAccount, CreditEntry, CreditExhaustion, CreditWarning
from services.settings import Settings

MOST_TEAMS = 100
"""Warned in one look; more wait for the next."""

Credits = TypeVar("Credits", int, ColumnElement[int])


def thresholds(settings: Settings, bought: Credits, own: Credits) -> list[Credits]:
    """In credits: shares of what was bought since the team was empty, and its own number, 0 for
    none. Of a team's figures, or of columns."""
    found: list[Credits] = [bought * percentage // 100 for percentage in settings.low_percentages]
    found.append(own)
    return found


def _thresholds(settings: Settings) -> list[ColumnElement[int]]:
    bought, own = CreditAccount.bought_since_empty, CreditAccount.low_credits
    return thresholds(settings, func.coalesce(bought, 0), func.coalesce(own, 0))


def highest_threshold(settings: Settings) -> ColumnElement[int]:
    return func.greatest(*_thresholds(settings))


def bought_until_now(settings: Settings, account: CreditAccount) -> int:
    """What an addition to the account is added to, if the team had not run out."""
    lowest = min(filter(None, settings.low_percentages), default=0)
    is_at_lowest = account.balance * 100 <= account.bought_since_empty * lowest
    return account.balance if is_at_lowest else account.bought_since_empty


def _level(settings: Settings) -> ColumnElement[int]:
    """How many of its thresholds the team has come down to."""
    level: ColumnElement[int] = literal(0, Integer)
    for threshold in _thresholds(settings):
        level += case((CreditAccount.balance <= threshold, 1), else_=0)
    return level


def _lowest_reached(settings: Settings) -> ColumnElement[int]:
    thresholds = _thresholds(settings)
    return func.least(*(case((CreditAccount.balance <= t, t)) for t in thresholds))


def _has_come_down(settings: Settings) -> ColumnElement[bool]:
    """To a threshold that nobody was warned of. A team that has nothing is told so otherwise."""
    return and_(
        CreditAccount.enabled,
        CreditAccount.balance > 0,
        CreditAccount.low_level < _level(settings),
    )


async def teams_to_warn(session: AsyncSession, settings: Settings) -> Sequence[int]:
    """Locks nothing."""
    team_ids = await session.scalars(
        select(CreditAccount.team_id)
        .where(_has_come_down(settings))
        .order_by(CreditAccount.team_id)
        .limit(MOST_TEAMS)
    )
    return team_ids.all()


async def warn_team(session: AsyncSession, settings: Settings, team_id: int) -> None:
    """Makes the warning, if it is still due. The account is locked from here to the commit, like
    by any send: as short as can be."""
    warned = (
        update(CreditAccount)
        .where(CreditAccount.team_id == team_id, _has_come_down(settings))
        .values(low_level=_level(settings))
        .returning(
            CreditAccount.team_id,
            CreditAccount.balance,
            _lowest_reached(settings).label("threshold"),
            CreditAccount.low_mail,
        )
        .cte("warned")
    )
    await session.execute(
        insert(CreditWarning).from_select(
            ["team_id", "remaining", "threshold", "created_at"],
            # Not now(), at which the transaction began, before it had the account: see still_due.
            select(
                warned.c.team_id, warned.c.balance, warned.c.threshold, func.clock_timestamp()
            ).where(warned.c.low_mail),
        )
    )


async def arm_thresholds(
    session: AsyncSession, settings: Settings, team_id: int, *, anew: bool = False
) -> None:
    """Those that the team is above again. `anew`: all that it is at or below count as warned of.

    The caller has locked the account.
    """
    level = _level(settings)
    await session.execute(
        update(CreditAccount)
        .where(CreditAccount.team_id == team_id)
        .values(low_level=level if anew else func.least(CreditAccount.low_level, level))
        .execution_options(synchronize_session=False)
    )


def still_due() -> ColumnElement[bool]:
    """Of a warning: it is wanted, and no newer one, running out or refill has overtaken it.

    Credits given back don't: they arm nothing, so nobody would hear of this threshold again. Nor
    does an addition that left the team at or below it.
    """
    account = select(CreditAccount.team_id).where(
        CreditAccount.team_id == CreditWarning.team_id,
        CreditAccount.enabled,
        CreditAccount.low_mail,
        CreditAccount.balance > 0,
    )
    above = account.where(CreditAccount.balance > CreditWarning.threshold)
    refilled = select(CreditEntry.id).where(
        CreditEntry.team_id == CreditWarning.team_id,
        CreditEntry.purchase_id.is_not(None),  # the index of a few, not of all entries
        CreditEntry.kind == "PURCHASE",
        CreditEntry.created_at > CreditWarning.created_at,
        CreditEntry.balance_after > CreditWarning.threshold,
    )
    ran_out = select(CreditExhaustion.id).where(
        CreditExhaustion.team_id == CreditWarning.team_id, CreditExhaustion.closed_at.is_(None)
    )
    newer = aliased(CreditWarning)
    warned_again = select(newer.id).where(
        newer.team_id == CreditWarning.team_id, newer.id > CreditWarning.id
    )
    return and_(
        account.exists(),
        ~and_(above.exists(), refilled.exists()),
        ~ran_out.exists(),
        ~warned_again.exists(),
    )
