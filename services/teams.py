"""Teams as credits see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from sqlalchemy import ARRAY, Integer, Select, and_, any_, bindparam, case, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from models.credits import CreditAccount, CreditExhaustion, CreditPurchase
from models.organizations import Organization
from models.users import Membership
from services.access import Actor, Role, has_role, require_superadmin, sees_credits
from services.errors import Forbidden, NotFound
from services.pages import OffsetPage, count_rows, require_page
from services.running_low import highest_threshold, thresholds
from services.settings import Settings
from services.texts import checked_or_none

MOST_TEAMS = 1000


class CreditStatus(StrEnum):
    DISABLED = "DISABLED"
    AVAILABLE = "AVAILABLE"
    SHORT = "SHORT"
    EXHAUSTED = "EXHAUSTED"


class TeamOrder(StrEnum):
    NAME_ASC = "NAME_ASC"
    NAME_DESC = "NAME_DESC"
    REMAINING_ASC = "REMAINING_ASC"
    REMAINING_DESC = "REMAINING_DESC"
    PURCHASED_ASC = "PURCHASED_ASC"
    PURCHASED_DESC = "PURCHASED_DESC"
    USED_ASC = "USED_ASC"
    USED_DESC = "USED_DESC"
    LAST_PURCHASE_ASC = "LAST_PURCHASE_ASC"
    LAST_PURCHASE_DESC = "LAST_PURCHASE_DESC"


@dataclass(frozen=True, slots=True)
class Team:
    """A team and its credits at one moment. `role`: the asking person's, None for outsiders.

    `low_credits`: warn at so many, besides at shares of `bought_since_empty`; None: no such number.
    """

    id: int
    name: str
    credits_enabled: bool
    remaining: int
    purchased: int
    bought_since_empty: int
    low_credits: int | None
    running_low_mail: bool
    credit_status: CreditStatus
    role: str | None

    @property
    def used(self) -> int:
        return self.purchased - self.remaining

    @property
    def turning_on_would_block(self) -> bool:
        return not self.credits_enabled and self.remaining <= 0

    def is_running_low(self, settings: Settings) -> bool:
        """At or below one of its thresholds, and not blocked. In SQL: `_is_running_low`."""
        highest = max(thresholds(settings, self.bought_since_empty, self.low_credits or 0))
        return self.credit_status is CreditStatus.AVAILABLE and self.remaining <= highest


class TeamNow(NamedTuple):
    """A team and its credits at one moment, whoever asks."""

    id: int
    name: str
    credits_enabled: bool
    remaining: int
    purchased: int
    bought_since_empty: int
    low_credits: int | None
    running_low_mail: bool
    credit_status: str

    def seen_with(self, role: str | None) -> Team:
        return Team(*self[:-1], CreditStatus(self.credit_status), role)


class TeamFilter(NamedTuple):
    """Which teams of a list. None: whichever."""

    search: str | None = None
    credits_enabled: bool | None = None
    credit_status: Sequence[CreditStatus] | None = None
    running_low: bool | None = None


@dataclass(frozen=True, slots=True)
class TeamPage:
    teams: Sequence[Team]
    page_info: OffsetPage


_enabled = func.coalesce(CreditAccount.enabled, False)
_remaining = func.coalesce(CreditAccount.balance, 0)
_purchased = func.coalesce(CreditAccount.purchased, 0)
_status = case(
    (~_enabled, CreditStatus.DISABLED),
    (_remaining <= 0, CreditStatus.EXHAUSTED),
    (CreditExhaustion.id.is_not(None), CreditStatus.SHORT),
    else_=CreditStatus.AVAILABLE,
)
_last_purchase = (  # not max(): that would read all purchases of every team
    select(CreditPurchase.created_at)
    .where(CreditPurchase.team_id == Organization.id, CreditPurchase.removed_at.is_(None))
    .order_by(CreditPurchase.id.desc())
    .limit(1)
    .scalar_subquery()
)
_ORDERS: dict[TeamOrder, ColumnElement[Any]] = {
    TeamOrder.NAME_ASC: func.lower(Organization.name).asc(),
    TeamOrder.NAME_DESC: func.lower(Organization.name).desc(),
    TeamOrder.REMAINING_ASC: _remaining.asc(),
    TeamOrder.REMAINING_DESC: _remaining.desc(),
    TeamOrder.PURCHASED_ASC: _purchased.asc(),
    TeamOrder.PURCHASED_DESC: _purchased.desc(),
    TeamOrder.USED_ASC: (_purchased - _remaining).asc(),
    TeamOrder.USED_DESC: (_purchased - _remaining).desc(),
    TeamOrder.LAST_PURCHASE_ASC: _last_purchase.asc().nulls_first(),
    TeamOrder.LAST_PURCHASE_DESC: _last_purchase.desc().nulls_last(),
}


_teams = (
    select(
        Organization.id,
        Organization.name,
        _enabled,
        _remaining,
        _purchased,
        func.coalesce(CreditAccount.bought_since_empty, 0),
        CreditAccount.low_credits,
        func.coalesce(CreditAccount.low_mail, True),
        _status,
    )
    .outerjoin(CreditAccount, CreditAccount.team_id == Organization.id)
    .outerjoin(
        CreditExhaustion,
        and_(CreditExhaustion.team_id == Organization.id, CreditExhaustion.closed_at.is_(None)),
    )
)


def _is_running_low(settings: Settings) -> ColumnElement[bool]:
    return and_(_status == CreditStatus.AVAILABLE, _remaining <= highest_threshold(settings))


def _teams_of(actor: Actor) -> Select[Any]:
    return _teams.add_columns(Membership.role).outerjoin(
        Membership,
        and_(Membership.organization_id == Organization.id, Membership.user_id == actor.user_id),
    )


# Compiled once, for live credits: SQLAlchemy's own way of running it costs five times as much.
_dialect = make_url("postgresql+psycopg://").get_dialect()()
_all_now = _teams.compile(dialect=_dialect)
_some_now = _teams.where(Organization.id == any_(bindparam("ids", type_=ARRAY(Integer)))).compile(
    dialect=_dialect
)


async def teams_now(connection: AsyncConnection, ids: Sequence[int] | None) -> list[TeamNow]:
    """Those of these teams that exist, or all teams. One statement."""
    chosen = _all_now if ids is None else _some_now
    cursor = await connection.execute(chosen.string.encode(), {**chosen.params, "ids": ids})
    return [TeamNow._make(row) for row in await cursor.fetchall()]


def _team(row: Any) -> Team:
    *now, role = row
    return TeamNow._make(now).seen_with(role)


async def teams_by_id(session: AsyncSession, actor: Actor, ids: Sequence[int]) -> list[Team | None]:
    """For each id its team, whether or not the actor may see it: `require_visible` decides."""
    rows = await session.execute(_teams_of(actor).where(Organization.id.in_(ids)))
    found = {row[0]: _team(row) for row in rows}
    return [found.get(team_id) for team_id in ids]


def require_visible(actor: Actor, team: Team | None) -> Team:
    """Members see their team, superadmins every team. Raises Forbidden, NotFound."""
    if team is None:
        raise NotFound("There is no such team.") if actor.is_superadmin else Forbidden()
    if not actor.is_superadmin and not has_role(team.role, Role.TEXTER):
        raise Forbidden
    return team


async def get_team(session: AsyncSession, actor: Actor, *, team_id: int) -> Team:
    [team] = await teams_by_id(session, actor, [team_id])
    return require_visible(actor, team)


async def list_teams(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    chosen: TeamFilter,
    order_by: TeamOrder,
    limit: int,
    offset: int,
) -> TeamPage:
    """Of those that are not deleted, ties by id. Raises Forbidden, InvalidInput."""
    require_superadmin(actor)
    require_page(limit, offset, most=MOST_TEAMS)
    matching = _teams_of(actor).where(*_matches(settings, chosen))
    found = await session.execute(
        matching.add_columns(func.count().over())
        .order_by(_ORDERS[order_by], Organization.id)
        .limit(limit)
        .offset(offset)
    )
    rows = found.all()
    # A page beyond the end has no row to tell the total.
    total = rows[0][-1] if rows else await count_rows(session, matching)
    return TeamPage([_team(row[:-1]) for row in rows], OffsetPage(limit, offset, total))


async def next_matching_teams(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    chosen: TeamFilter,
    after: int,
    limit: int,
) -> list[tuple[Team, datetime | None]]:
    """Those that come after that one, by id, each with the time of its newest purchase that was
    not removed. Raises Forbidden, InvalidInput."""
    require_superadmin(actor)
    found = await session.execute(
        _teams_of(actor)
        .add_columns(_last_purchase)
        .where(Organization.id > after, *_matches(settings, chosen))
        .order_by(Organization.id)
        .limit(limit)
    )
    return [(_team(team), last_purchase) for *team, last_purchase in found]


def _matches(settings: Settings, chosen: TeamFilter) -> list[ColumnElement[bool]]:
    """Raises InvalidInput."""
    search = checked_or_none(chosen.search, "The search", longest=200)
    conditions: list[ColumnElement[bool]] = [Organization.deleted_at.is_(None)]
    if search is not None:
        conditions.append(Organization.name.icontains(search, autoescape=True))
    if chosen.credits_enabled is not None:
        conditions.append(_enabled == chosen.credits_enabled)
    if chosen.credit_status is not None:
        conditions.append(_status.in_(chosen.credit_status))
    if chosen.running_low is not None:
        conditions.append(_is_running_low(settings) == chosen.running_low)
    return conditions


def require_credits_visible(actor: Actor, team: Team, settings: Settings) -> Team:
    """Guards remaining, purchased and used credits, and purchases. Raises Forbidden."""
    if not sees_credits(actor, team.role, settings.credits_visible_to):
        raise Forbidden
    return team


def require_admin(actor: Actor, team: Team) -> Team:
    """Raises Forbidden for all but the team's ADMINs and OWNERs, and superadmins."""
    if not actor.is_superadmin and not has_role(team.role, Role.ADMIN):
        raise Forbidden
    return team


def require_owner(actor: Actor, team: Team) -> Team:
    """Raises Forbidden for all but the team's OWNERs and superadmins."""
    if not actor.is_superadmin and not has_role(team.role, Role.OWNER):
        raise Forbidden
    return team
