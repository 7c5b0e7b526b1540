"""How much teams texted, by day, month or campaign. Reads the roll-up alone: what it costs depends
on the days, not on the texts."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Select, cast, desc, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Campaign
from models.organizations import Organization
from models.usage import UsageDay
from services.access import Actor, require_superadmin
from services.errors import InvalidInput
from services.pages import OffsetPage, count_rows, require_page
from services.teams import MOST_TEAMS, Team, teams_by_id

MOST_CAMPAIGNS = 10_000
MOST_ROWS = 20_000
"""In one request: nobody else is served while they are made into an answer."""


class UsageBy(StrEnum):
    DAY = "DAY"
    MONTH = "MONTH"
    CAMPAIGN = "CAMPAIGN"


MOST_DAYS = 366
MOST_DAYS_BY_MONTH = 3653


class Period(NamedTuple):
    """Days in UTC, both included."""

    first: date
    last: date


class Wanted(NamedTuple):
    team: Team
    period: Period
    by: UsageBy

    @property
    def known_rows(self) -> int:
        """How many there will be, as far as that is known without looking."""
        return len(_keys_of(self.period, self.by))


class Usage(NamedTuple):
    """Of a team: on a day such as 2026-11-22, in a month such as 2026-11, of a campaign, or in the
    whole period."""

    team: Team
    day: str | None
    month: str | None
    campaign_id: int | None
    texts: int = 0
    segments: int = 0
    media_texts: int = 0
    failed: int = 0
    credits_used: int = 0


class UsagePage(NamedTuple):
    rows: Sequence[Usage]
    page_info: OffsetPage


_SUMS = [
    cast(func.sum(column), BigInteger).label(column.key)
    for column in (
        UsageDay.texts,
        UsageDay.segments,
        UsageDay.media_texts,
        UsageDay.failed,
        UsageDay.credits_used,
    )
]
_KEYS = {
    UsageBy.DAY: func.to_char(UsageDay.day, literal_column("'YYYY-MM-DD'")),
    UsageBy.MONTH: func.to_char(UsageDay.day, literal_column("'YYYY-MM'")),
    UsageBy.CAMPAIGN: UsageDay.campaign_id,
}


def period_of(first: datetime, last: datetime, by: UsageBy | None = None) -> Period:
    """From the UTC day of a moment to that of another. Raises InvalidInput."""
    period = Period(_utc_day(first, "from"), _utc_day(last, "to"))
    if period.first > period.last:
        raise InvalidInput("from must not be after to.")
    most = MOST_DAYS_BY_MONTH if by is UsageBy.MONTH else MOST_DAYS
    if (period.last - period.first).days >= most:
        raise InvalidInput(
            f"Those are too many days: at most {MOST_DAYS}, or {MOST_DAYS_BY_MONTH} by month."
        )
    return period


def _utc_day(moment: datetime, name: str) -> date:
    try:
        return moment.astimezone(UTC).date()
    except OverflowError:
        raise InvalidInput(f"{name} is beyond the calendar.") from None


def require_few_rows(rows: int) -> None:
    """In one request. Raises InvalidInput."""
    if rows > MOST_ROWS:
        raise InvalidInput(
            f"That is more than {MOST_ROWS:,} rows: ask for fewer teams or days, or by month."
        )


@lru_cache
def _keys_of(period: Period, by: UsageBy) -> Sequence[str]:
    """Every day or month of the period, as people read it. Asked for each team of a list."""
    if by is UsageBy.DAY:
        days = (period.last - period.first).days + 1
        return [f"{period.first + timedelta(days=n)}" for n in range(days)]
    if by is UsageBy.MONTH:
        first, last = (12 * day.year + day.month - 1 for day in period)
        return [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(first, last + 1)]
    return []


def _sums(period: Period, *keys: Any) -> Select[Any]:
    """For each combination of keys with texts its figures, in the order of Usage."""
    return (
        select(*keys, *_SUMS)
        .where(UsageDay.day.between(period.first, period.last))
        .group_by(*keys)
        .having(func.sum(UsageDay.texts) > 0)
    )


async def usage_of_teams(session: AsyncSession, wanted: Sequence[Wanted]) -> list[list[Usage]]:
    """For each question its rows. One statement per distinct period and kind.

    By day and by month, every one of the period: a chart needs no calendar. By campaign, those with
    texts, the most segments first, at most MOST_CAMPAIGNS. Raises InvalidInput where several teams
    have more than MOST_ROWS.
    """
    teams: dict[tuple[Period, UsageBy], set[int]] = defaultdict(set)
    for want in wanted:
        teams[want.period, want.by].add(want.team.id)
    found: dict[tuple[int, Period, UsageBy], dict[Any, tuple[int, ...]]] = defaultdict(dict)
    for (period, by), ids in teams.items():
        sums = _sums(period, UsageDay.team_id, _KEYS[by]).where(UsageDay.team_id.in_(ids))
        most_first = sums.order_by(desc("segments"), _KEYS[by]).limit(MOST_ROWS + 1)
        rows = (await session.execute(most_first)).all()
        if len(ids) > 1:
            require_few_rows(len(rows))
        for team_id, key, *figures in rows:
            found[team_id, period, by][key] = tuple(figures)
    return [_rows(want, found[want.team.id, want.period, want.by]) for want in wanted]


def _rows(wanted: Wanted, found: dict[Any, tuple[int, ...]]) -> list[Usage]:
    team, period, by = wanted
    keys = _keys_of(period, by)
    if by is UsageBy.DAY:
        return [Usage(team, day, None, None, *found.get(day, ())) for day in keys]
    if by is UsageBy.MONTH:
        return [Usage(team, None, month, None, *found.get(month, ())) for month in keys]
    campaigns = islice(found.items(), MOST_CAMPAIGNS)
    return [Usage(team, None, None, key, *figures) for key, figures in campaigns]


async def account_usage(
    session: AsyncSession, actor: Actor, *, period: Period, limit: int, offset: int
) -> UsagePage:
    """Of each team that texted, by name, ties by id. Raises Forbidden, InvalidInput."""
    require_superadmin(actor)
    require_page(limit, offset, most=MOST_TEAMS)
    sums = _sums(period, UsageDay.team_id).subquery()
    by_name = select(sums).join(Organization, Organization.id == sums.c.team_id)
    found = await session.execute(
        by_name.add_columns(func.count().over())
        .order_by(func.lower(Organization.name), Organization.id)
        .limit(limit)
        .offset(offset)
    )
    rows = found.all()
    # A page beyond the end has no row to tell the total.
    total = rows[0][-1] if rows else await count_rows(session, by_name)
    usage = await _with_teams(session, actor, [row[:-1] for row in rows])
    return UsagePage(usage, OffsetPage(limit, offset, total))


async def _with_teams(session: AsyncSession, actor: Actor, found: Sequence[Any]) -> list[Usage]:
    teams = await teams_by_id(session, actor, [team_id for team_id, *_ in found])
    return [
        Usage(team, None, None, None, *figures)
        for team, (_, *figures) in zip(teams, found, strict=True)
        if team is not None
    ]


async def next_teams(
    session: AsyncSession, actor: Actor, *, period: Period, after: int, limit: int
) -> list[Usage]:
    """Of the teams that texted and come after that one, by id. Raises Forbidden."""
    require_superadmin(actor)
    sums = _sums(period, UsageDay.team_id).where(UsageDay.team_id > after)
    found = await session.execute(sums.order_by(UsageDay.team_id).limit(limit))
    return await _with_teams(session, actor, found.all())


async def next_campaigns(
    session: AsyncSession, team: Team, *, period: Period, after: int, limit: int
) -> list[tuple[Usage, str | None]]:
    """Of the team's campaigns with texts that come after that one, by id, each with its title."""
    sums = _sums(period, UsageDay.campaign_id).where(
        UsageDay.team_id == team.id, UsageDay.campaign_id > after
    )
    chosen = sums.order_by(UsageDay.campaign_id).limit(limit).subquery()
    found = await session.execute(
        select(chosen, Campaign.title)
        .outerjoin(Campaign, Campaign.id == chosen.c.campaign_id)
        .order_by(chosen.c.campaign_id)
    )
    return [(Usage(team, None, None, key, *figures), title) for key, *figures, title in found]
