"""Usage, credit purchases and teams as files for spreadsheets.

What is long is read in parts, each with a connection that is given back at once: who reads slowly
holds nothing up, and no file costs more memory than a part. Days and times are UTC, and the
headings say so.
"""

import csv
import io
import re
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from resolvers.ids import spoke_id
from server.request_log import note
from server.resources import Resources, resources_of
from server.sessions import signed_in
from services import clock
from services.access import Actor, require_superadmin, sees_credits
from services.errors import InvalidInput, NotAuthenticated
from services.purchases import Purchase, next_purchases
from services.teams import (
    CreditStatus,
    Team,
    TeamFilter,
    get_team,
    next_matching_teams,
    require_admin,
    require_credits_visible,
)
from services.usage import (
    Period,
    Usage,
    UsageBy,
    Wanted,
    next_campaigns,
    next_teams,
    period_of,
    usage_of_teams,
)

ROWS_IN_A_PART = 250
"""Few, since nobody else is served while one is made into text."""
BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for Latin-1."""
FORMULA_SIGNS = tuple("=+-@\t\r\n＝＋－＠")
"""Spreadsheets take a cell that begins so for a formula, and what it says may be anybody's."""
LONGEST_SLUG = 60

FIGURES = {
    "Texts": "texts",
    "Segments": "segments",
    "Texts with media": "media_texts",
    "Failed texts": "failed",
    "Credits used": "credits_used",
}
"""Headings and attributes of usage."""
PERIOD = ("From (UTC)", "To (UTC)")
PURCHASES = (
    "Purchase",
    "Team ID",
    "Team",
    "Credits",
    "Note",
    "Added at (UTC)",
    "Added by",
    "Removed at (UTC)",
    "Removed by",
)
TEAMS = (
    "Team ID",
    "Team",
    "Credits",
    "Status",
    "Remaining credits",
    "Purchased credits",
    "Used credits",
    "Last purchase (UTC)",
)
ANSWERS = {"true": True, "false": False}

Item = TypeVar("Item")
Row = Sequence[object]
Part = Sequence[Row]


async def usage_csv(request: Request) -> Response:
    """Of one team, for whom `Team.usage` is."""
    resources, actor = await _asking(request)
    by = _by(request)
    period = _period(request, by)
    async with resources.database.reads() as session:
        team = require_admin(actor, await get_team(session, actor, team_id=_team_id(request)))
    name = f"usage-{_slug(team)}-by-{by.lower()}-{_dates(period)}"
    figures = _figures(resources, actor, team)
    if by is UsageBy.CAMPAIGN:
        return await _campaigns(resources, name, team, period, figures)
    async with resources.database.reads() as session:
        [found] = await usage_of_teams(session, [Wanted(team, period, by)])
    rows = [[team.id, team.name, one.day or one.month, *_values(one, figures)] for one in found]
    heading = ["Team ID", "Team", f"{by.capitalize()} (UTC)", *figures]
    return await _file(name, heading, _only(rows))


async def _campaigns(
    resources: Resources, name: str, team: Team, period: Period, figures: Sequence[str]
) -> Response:
    async def read(
        session: AsyncSession, last: tuple[Usage, str | None] | None
    ) -> list[tuple[Usage, str | None]]:
        after = (last and last[0].campaign_id) or 0
        return await next_campaigns(session, team, period=period, after=after, limit=ROWS_IN_A_PART)

    def row(found: tuple[Usage, str | None]) -> Row:
        usage, title = found
        return [team.id, team.name, *period, usage.campaign_id, title, *_values(usage, figures)]

    heading = ["Team ID", "Team", *PERIOD, "Campaign ID", "Campaign", *figures]
    return await _file(name, heading, _parts(resources, read, row))


async def account_usage_csv(request: Request) -> Response:
    """Of each team that texted. For superadmins."""
    resources, actor = await _asking(request)
    require_superadmin(actor)
    period = _period(request)

    async def read(session: AsyncSession, last: Usage | None) -> list[Usage]:
        after = last.team.id if last else 0
        return await next_teams(session, actor, period=period, after=after, limit=ROWS_IN_A_PART)

    def row(usage: Usage) -> Row:
        return [usage.team.id, usage.team.name, *period, *_values(usage, tuple(FIGURES))]

    heading = ["Team ID", "Team", *PERIOD, *FIGURES]
    return await _file(f"account-usage-{_dates(period)}", heading, _parts(resources, read, row))


async def credit_purchases_csv(request: Request) -> Response:
    """Of one team, for whom its purchases are visible, or of all, for superadmins; newest first."""
    resources, actor = await _asking(request)
    team_id, whose = None, "all-teams"
    if "teamId" in request.query_params:
        team_id = _team_id(request)
        async with resources.database.reads() as session:
            team = await get_team(session, actor, team_id=team_id)
        whose = _slug(require_credits_visible(actor, team, resources.settings))
    else:
        require_superadmin(actor)

    async def read(
        session: AsyncSession, last: tuple[Purchase, str] | None
    ) -> list[tuple[Purchase, str]]:
        before = last[0].id if last else None
        return await next_purchases(session, team_id=team_id, before=before, limit=ROWS_IN_A_PART)

    name = f"credit-purchases-{whose}-{clock.now():%Y-%m-%d}"
    return await _file(name, PURCHASES, _parts(resources, read, _purchase))


def _purchase(found: tuple[Purchase, str]) -> Row:
    """Under the headings PURCHASES."""
    one, team_name = found
    added = [one.created_at, one.purchased_by_name]
    removed = [one.removed_at, one.removed_by_name]
    return [one.id, one.team_id, team_name, one.amount, one.note, *added, *removed]


async def teams_csv(request: Request) -> Response:
    """Of those that `teams` lists when asked the same; for superadmins."""
    resources, actor = await _asking(request)
    require_superadmin(actor)
    chosen = _chosen(request)

    async def read(
        session: AsyncSession, last: tuple[Team, datetime | None] | None
    ) -> list[tuple[Team, datetime | None]]:
        after = last[0].id if last else 0
        return await next_matching_teams(
            session, resources.settings, actor, chosen=chosen, after=after, limit=ROWS_IN_A_PART
        )

    return await _file(f"teams-{clock.now():%Y-%m-%d}", TEAMS, _parts(resources, read, _credits))


def _credits(found: tuple[Team, datetime | None]) -> Row:
    """Under the headings TEAMS."""
    team, last_purchase = found
    state = ["on" if team.credits_enabled else "off", team.credit_status.value]
    return [team.id, team.name, *state, team.remaining, team.purchased, team.used, last_purchase]


# What is asked


async def _asking(request: Request) -> tuple[Resources, Actor]:
    """Raises NotAuthenticated."""
    resources = resources_of(request)
    actor = await signed_in(request, resources)
    if actor is None:
        raise NotAuthenticated
    note(request, user_id=actor.user_id)
    return resources, actor


def _team_id(request: Request) -> int:
    return spoke_id(request.query_params.get("teamId", ""), "teamId")


def _by(request: Request) -> UsageBy:
    try:
        return UsageBy(request.query_params.get("by", UsageBy.DAY))
    except ValueError:
        raise InvalidInput("by is DAY, MONTH or CAMPAIGN.") from None


def _period(request: Request, by: UsageBy | None = None) -> Period:
    return period_of(_moment(request, "from"), _moment(request, "to"), by)


def _chosen(request: Request) -> TeamFilter:
    """`creditStatus` may be there several times."""
    try:
        states = [CreditStatus(name) for name in request.query_params.getlist("creditStatus")]
    except ValueError:
        raise InvalidInput(f"creditStatus is one of {', '.join(CreditStatus)}.") from None
    return TeamFilter(
        request.query_params.get("search"),
        _whether(request, "creditsEnabled"),
        states or None,
        _whether(request, "runningLow"),
    )


def _whether(request: Request, name: str) -> bool | None:
    if name not in request.query_params:
        return None
    try:
        return ANSWERS[request.query_params[name]]
    except KeyError:
        raise InvalidInput(f"{name} is true or false.") from None


def _moment(request: Request, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        raise InvalidInput(f"{name} is a day, such as 2026-11-22.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# What is answered


def _figures(resources: Resources, actor: Actor, team: Team) -> Sequence[str]:
    """The headings of those that the actor may see."""
    visible_to = resources.settings.credits_visible_to
    return [*FIGURES] if sees_credits(actor, team.role, visible_to) else [*FIGURES][:-1]


def _values(usage: Usage, figures: Sequence[str]) -> list[object]:
    return [getattr(usage, FIGURES[heading]) for heading in figures]


def _dates(period: Period) -> str:
    return f"{period.first}-to-{period.last}"


def _slug(team: Team) -> str:
    """Its name, as far as a file's may have it."""
    plain = unicodedata.normalize("NFKD", team.name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST_SLUG].strip("-") or f"team-{team.id}"


async def _only(rows: Part) -> AsyncIterator[Part]:
    yield rows


async def _parts(
    resources: Resources,
    read: Callable[[AsyncSession, Item | None], Awaitable[Sequence[Item]]],
    row: Callable[[Item], Row],
) -> AsyncIterator[Part]:
    """`read` gets the last item of the part before."""
    last = None
    while True:
        async with resources.database.reads() as session:
            items = await read(session, last)
        if not items:
            return
        last = items[-1]
        yield [row(item) for item in items]


async def _file(name: str, heading: Row, parts: AsyncIterator[Part]) -> Response:
    """Begins once the first part is there, so that what goes wrong before is told. Should it go
    wrong later, the connection breaks: no file is cut off without a word."""
    first: Part = await anext(parts, [])

    async def content() -> AsyncIterator[bytes]:
        yield BYTE_ORDER_MARK.encode() + _csv([heading, *first])
        async for part in parts:
            yield _csv(part)

    headers = {
        "content-disposition": f'attachment; filename="{name}.csv"',
        "cache-control": "no-store",
    }
    return StreamingResponse(content(), media_type="text/csv", headers=headers)


def _csv(rows: Part) -> bytes:
    """With commas, and CRLF at the end of each line."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, str) and _looks_like_a_formula(value):
        return f"'{value}"
    return value


def _looks_like_a_formula(text: str) -> bool:
    return text.startswith(FORMULA_SIGNS) or text.lstrip().startswith(FORMULA_SIGNS)


ROUTES = [
    Route("/export/usage.csv", usage_csv),
    Route("/export/account-usage.csv", account_usage_csv),
    Route("/export/credit-purchases.csv", credit_purchases_csv),
    Route("/export/teams.csv", teams_csv),
]
