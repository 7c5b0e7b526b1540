"""Usage as teams and superadmins read it: by day, month and campaign, and of the whole account."""

import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from models.database import Database, open_database
from server.resources import Resources
from services.access import Actor
from services.teams import get_team
from services.usage import (
    MOST_CAMPAIGNS,
    MOST_ROWS,
    Period,
    UsageBy,
    Wanted,
    account_usage,
    next_campaigns,
    next_teams,
    usage_of_teams,
)
from services.usage_day import rebuild_usage, verify_usage
from tests.api import Api

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

BAD = "BAD_USER_INPUT"
NAMES = ("texts", "segments", "mediaTexts", "failed", "creditsUsed")
NONE_OF_ALL = dict.fromkeys(NAMES, 0)
USAGE = f"""
query($from: Date!, $to: Date!, $by: UsageBy! = DAY, $id: ID! = "1") {{
  team(id: $id) {{ usage(from: $from, to: $to, by: $by) {{
    day month campaign {{ id title }} team {{ id }} {" ".join(NAMES)}
  }} }}
}}
"""
ACCOUNT = f"""
query($from: Date!, $to: Date!, $limit: Int! = 1000, $offset: Int! = 0) {{
  accountUsage(from: $from, to: $to, limit: $limit, offset: $offset) {{
    rows {{ day month campaign {{ id }} team {{ id name }} {" ".join(NAMES)} }}
    pageInfo {{ limit offset total next previous }}
  }}
}}
"""
MOMENTS = (
    "2024-12-31 23:59:59.999999", "2025-01-01 00:00", "2025-02-28 12:00", "2025-03-01 00:00",
    "2025-03-01 23:59:59", "2025-12-31 23:59", "2026-01-01 00:00", "2026-03-31 23:30",
)  # fmt: skip
# Of Spoke's own workers, to assignments of teams 1, 2 and 1 in another campaign.
TEXTS_BY_SPOKE = """
insert into message (assignment_id, user_id, contact_number, is_from_contact, text, service,
  send_status, created_at, num_segments, num_media)
select assignment_id, 1, '+12025550123', n = 6, 'Hi!', 'twilio',
  case when n = 5 then 'ERROR' else 'DELIVERED' end, moment at time zone 'UTC', nullif(n, 2),
  case when n = 3 then 1 end
from unnest(%s::timestamp[]) moment, unnest(array[1, 2, 13]) assignment_id,
  generate_series(1, 3 + assignment_id %% 4) n
"""
# The texts one by one, from which the figures are added up once more by the tests.
TEXTS = """
select c.organization_id as team, (m.created_at at time zone 'UTC')::date as day, c.id as campaign,
  1, coalesce(m.num_segments, 1), coalesce(m.num_media > 0, false)::int,
  (m.send_status in ('ERROR', 'NOT_ATTEMPTED'))::int,
  coalesce((select -sum(amount) from credit_entry e where e.message_id = m.id), 0)::int
from message m join assignment a on a.id = m.assignment_id join all_campaign c on c.id = campaign_id
where not is_from_contact
"""
YEAR = {"from": "2025-01-01", "to": "2025-12-31"}


@pytest.fixture
async def connection(demo_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(demo_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def grown(api: Api, connection: Connection, demo_url: str) -> Api:
    """With texts of two years, at the ends of days, months and years, and of today."""
    await connection.execute(TEXTS_BY_SPOKE, [list(MOMENTS)])
    for contact_id in range(1, 5):
        assert (await api.send("texter", contact_id, "Hi!" * 60)).ok
    async with open_database(demo_url) as database, database.sessions.begin() as session:
        await rebuild_usage(session, days=None, with_ours=False)
        assert await verify_usage(session) == []
    return api


async def today(connection: Connection) -> date:
    """As the demo data have it."""
    cursor = await connection.execute("select max(day) from usage_day")
    row = await cursor.fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


async def expected(
    connection: Connection, first: date, last: date, key: Callable[[int, date, int], Any]
) -> dict[Any, dict[str, int]]:
    """Added up from the texts themselves."""
    sums: dict[Any, Counter[str]] = defaultdict(Counter)
    cursor = await connection.execute(TEXTS)
    for team, day, campaign, *figures in await cursor.fetchall():
        if first <= day <= last and (found := key(team, day, campaign)):
            sums[found].update(dict(zip(NAMES, figures, strict=True)))
    return {key: {**NONE_OF_ALL, **counted} for key, counted in sums.items()}


def figures(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in NAMES}


def total(found: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(row[name] for row in found) for name in NAMES}


async def usage(api: Api, who: str = "superadmin", **variables: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api(who, USAGE, **variables)).ok["team"]["usage"]
    return found


async def test_by_day_is_every_day_with_what_was_texted_on_it(
    grown: Api, connection: Connection
) -> None:
    first, last = date(2025, 1, 1), date(2025, 12, 31)
    found = await usage(grown, **YEAR, by="DAY")
    assert [row["day"] for row in found] == [
        (first + timedelta(days=n)).isoformat() for n in range(365)
    ]
    right = await expected(connection, first, last, lambda t, day, c: t == 1 and f"{day}")
    assert len(right) == 4
    assert {row["day"]: figures(row) for row in found if row["texts"]} == right
    gaps = {row["day"]: figures(row) for row in found if not row["texts"]}
    assert list(gaps.values()) == [NONE_OF_ALL] * 361
    assert {(row["month"], row["campaign"], row["team"]["id"]) for row in found} == {
        (None, None, "1")
    }


async def test_by_month_is_every_month(grown: Api, connection: Connection) -> None:
    first, last = date(2024, 12, 1), date(2026, 3, 30)
    found = await usage(grown, **{"from": f"{first}", "to": f"{last}"}, by="MONTH")
    assert [row["month"] for row in found] == [
        "2024-12", *(f"2025-{n:02}" for n in range(1, 13)), "2026-01", "2026-02", "2026-03",
    ]  # fmt: skip
    right = await expected(connection, first, last, lambda t, day, c: t == 1 and f"{day:%Y-%m}")
    assert {row["month"]: figures(row) for row in found if row["texts"]} == right
    assert figures(found[-1]) == NONE_OF_ALL, "the text of the 31st is not in the period"
    assert {(row["day"], row["campaign"]) for row in found} == {(None, None)}


async def test_by_campaign_is_those_that_texted(grown: Api, connection: Connection) -> None:
    first, last = date(2025, 1, 1), date(2025, 12, 31)
    found = await usage(grown, **YEAR, by="CAMPAIGN")
    right = await expected(connection, first, last, lambda t, day, c: t == 1 and f"{c}")
    assert {row["campaign"]["id"]: figures(row) for row in found} == right
    assert {row["campaign"]["title"] for row in found} == {
        "North Valley Field: Saturday",
        "North Valley Field: Petition",
    }
    assert {(row["day"], row["month"]) for row in found} == {(None, None)}


async def test_all_ways_add_up_to_the_same(grown: Api, connection: Connection) -> None:
    """Also to what the account shows, with texts that cost credits among them."""
    last = await today(connection)
    period = {"from": f"{last - timedelta(days=365)}", "to": f"{last}"}
    account = (await grown("superadmin", ACCOUNT, **period)).ok["accountUsage"]["rows"]
    assert len(account) == 11
    for row in account:
        team_id = row["team"]["id"]
        for by in UsageBy:
            assert total(await usage(grown, **period, by=by, id=team_id)) == figures(row)
    [north] = [row for row in account if row["team"]["id"] == "1"]
    assert north["creditsUsed"] == 8
    assert total(account)["failed"] > 0 and total(account)["mediaTexts"] > 0


async def test_the_account_shows_teams_by_name_in_pages(grown: Api, connection: Connection) -> None:
    await connection.execute("update organization set name = lower(name) where id = 6")
    await connection.execute("update organization set deleted_at = now() where id = 5")
    last = await today(connection)
    period = {"from": f"{last - timedelta(days=30)}", "to": f"{last}"}
    whole = (await grown("superadmin", ACCOUNT, **period)).ok["accountUsage"]
    names = [row["team"]["name"] for row in whole["rows"]]
    assert names == sorted(names, key=str.lower) and "prairie farmers alliance" in names
    assert "Eastside Transit Riders" in names, "what a deleted team texted was texted"
    assert "Mesa Water Protectors" not in names, "it texted nothing"
    right = await expected(connection, last - timedelta(days=30), last, lambda t, d, c: f"{t}")
    assert {row["team"]["id"]: figures(row) for row in whole["rows"]} == right
    assert {(row["day"], row["month"], row["campaign"]) for row in whole["rows"]} == {
        (None, None, None)
    }
    paged = []
    for offset in range(0, len(names), 3):
        page = (await grown("superadmin", ACCOUNT, **period, limit=3, offset=offset)).ok
        assert page["accountUsage"]["pageInfo"]["total"] == len(names)
        paged += page["accountUsage"]["rows"]
    assert paged == whole["rows"]
    beyond = (await grown("superadmin", ACCOUNT, **period, offset=99)).ok["accountUsage"]
    assert beyond["rows"] == [] and beyond["pageInfo"]["total"] == len(names)


@pytest.mark.parametrize(
    ("first", "last", "texts"),
    [
        ("2025-03-01", "2025-03-01", 2),
        ("2025-03-01T23:59:59Z", "2025-03-01T00:00:00Z", 2),
        ("2025-02-28T19:00:00-05:00", "2025-03-02T00:30:00+01:00", 2),
        ("2025-03-02", "2025-03-02", 0),
        ("2024-12-31", "2025-01-01", 2),
        ("9999-12-31", "9999-12-31", 0),
        ("0001-01-01", "0001-01-01", 0),
    ],
)
async def test_days_are_those_of_utc_and_both_included(
    grown: Api, first: str, last: str, texts: int
) -> None:
    """`texts`: moments, at each of which so many were texted."""
    found = await usage(grown, **{"from": first, "to": last})
    assert total(found)["texts"] == texts * (4 + 4)


@pytest.mark.parametrize(
    ("first", "last", "by", "days"),
    [
        ("2024-01-01", "2024-12-31", "DAY", 366),
        ("2024-01-01", "2025-01-01", "DAY", None),
        ("2024-01-01", "2025-01-01", "CAMPAIGN", None),
        ("2016-01-01", "2025-12-31", "MONTH", 120),
        ("2016-01-01", "2026-01-01", "MONTH", None),
        ("2025-03-02", "2025-03-01", "DAY", None),
        ("0001-01-01T00:00+14:00", "2025-03-01", "MONTH", None),
        ("2025-03-02", "9999-12-31T23:59-14:00", "DAY", None),
        ("yesterday", "2025-03-01", "DAY", None),
    ],
)
async def test_ranges_are_bounded(
    api: Api, first: str, last: str, by: str, days: int | None
) -> None:
    """`days`: rows; None: refused."""
    answer = await api(
        "owner", USAGE.replace("creditsUsed", ""), **{"from": first, "to": last}, by=by
    )
    if days is None:
        assert answer.codes == [BAD]
        assert re.search(
            "too many days|must not be after|calendar|ISO 8601", answer.errors[0]["message"]
        )
    else:
        assert len(answer.ok["team"]["usage"]) == days
    if by != "MONTH":
        answer = await api("superadmin", ACCOUNT, **{"from": first, "to": last})
        assert answer.codes == ([BAD] if days is None else [])


async def test_campaigns_come_by_their_segments_and_may_be_gone(
    api: Api, connection: Connection
) -> None:
    await connection.execute(
        "insert into usage_day (team_id, day, campaign_id, is_ours, texts, segments)"
        " select 1, '2025-01-01', campaign_id, true, texts, segments"
        " from (values (1, 9, 10), (13, 5, 20), (9999, 1, 10)) as u (campaign_id, texts, segments)"
    )
    found = await usage(api, **YEAR, by="CAMPAIGN")
    assert [row["campaign"] and row["campaign"]["id"] for row in found] == ["13", "1", None]


async def test_sums_outgrow_32_bits(api: Api, connection: Connection) -> None:
    await connection.execute(
        "insert into usage_day (team_id, day, campaign_id, is_ours, texts, segments)"
        " select 1, '2025-01-01', n, true, 2147483647, 2147483647 from generate_series(1, 3) n"
    )
    found = await usage(api, **YEAR, by="MONTH")
    assert found[0]["segments"] == 3 * 2147483647


# What it costs


MANY_TEAMS = "insert into organization (id, name) select n, 'Team' from generate_series(101, 160) n"
OF_TEAMS = """
query($from: Date!, $to: Date!, $by: UsageBy!) {
  teams(limit: 1000) { teams { usage(from: $from, to: $to, by: $by) { texts } } }
}
"""


async def test_a_request_gets_so_many_rows_and_no_more(api: Api, connection: Connection) -> None:
    """Else who asks for each day of each team keeps a whole process busy."""
    await connection.execute(MANY_TEAMS)
    refused = await api("superadmin", OF_TEAMS, **YEAR, by="DAY")
    assert set(refused.codes) == {BAD} and len(refused.codes) == 72
    assert "fewer teams or days, or by month" in refused.errors[0]["message"]
    assert [team["usage"] for team in refused.data["teams"]["teams"]] == [None] * 72
    found = (await api("superadmin", OF_TEAMS, **YEAR, by="MONTH")).ok["teams"]["teams"]
    assert {len(team["usage"]) for team in found} == {12}
    period = {"from": "2025-01-01", "to": "2025-09-30"}
    found = (await api("superadmin", OF_TEAMS, **period, by="DAY")).ok["teams"]["teams"]
    assert 72 * len(found[0]["usage"]) == 72 * 273 <= MOST_ROWS


async def test_rows_that_are_shown_again_count_again(api: Api) -> None:
    def document(times: int) -> str:
        again = "\n".join(
            f"a{n}: usage(from: $from, to: $to, by: $by) {{ texts }}" for n in range(times)
        )
        return f"""query($from: Date!, $to: Date!, $by: UsageBy! = DAY) {{
          teams {{ teams {{ {again} }} }}
        }}"""

    assert not (await api("superadmin", document(4), **YEAR)).errors
    assert set((await api("superadmin", document(5), **YEAR)).codes) == {BAD}


MANY_CAMPAIGNS = """
insert into usage_day (team_id, day, campaign_id, is_ours, texts, segments)
select team, '2025-01-01', n, true, 1, n from unnest(%s::int[]) team, generate_series(1, %s) n
"""
OF_CAMPAIGNS = """
query($from: Date!, $to: Date!, $id: ID!) {
  team(id: $id) {
    usage(from: $from, to: $to, by: CAMPAIGN) { segments }
    again: usage(from: $from, to: $to, by: CAMPAIGN) { segments }
  }
}
"""


async def test_of_too_many_campaigns_those_with_the_most_segments_are_shown(
    api: Api, connection: Connection
) -> None:
    campaigns = MOST_ROWS + 5
    await connection.execute(MANY_CAMPAIGNS, [[1], campaigns])
    found = (await api("superadmin", OF_CAMPAIGNS, **YEAR, id="1")).ok["team"]["usage"]
    right = range(campaigns, campaigns - MOST_CAMPAIGNS, -1)
    assert [row["segments"] for row in found] == list(right)
    thrice = OF_CAMPAIGNS.replace("again:", "more: usage(from: $from, to: $to, by: CAMPAIGN)"
                                  " { segments } again:")  # fmt: skip
    assert set((await api("superadmin", thrice, **YEAR, id="1")).codes) == {BAD}


async def test_campaigns_of_several_teams_are_rows_too(api: Api, connection: Connection) -> None:
    await connection.execute(MANY_CAMPAIGNS, [[1, 2, 3], MOST_ROWS // 3 + 1])
    answer = await api("superadmin", OF_TEAMS, **YEAR, by="CAMPAIGN")
    assert set(answer.codes) == {BAD}
    await connection.execute("delete from usage_day where team_id = 3")
    found = (await api("superadmin", OF_TEAMS, **YEAR, by="CAMPAIGN")).ok["teams"]["teams"]
    assert sum(len(team["usage"]) for team in found) == 2 * (MOST_ROWS // 3 + 1)


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Those that are executed meanwhile, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        seen.append((statement, parameters))

    engine = database.reads.kw["bind"].sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


GROWN = """
insert into usage_day (team_id, day, campaign_id, is_ours, texts, segments)
select team, '2025-01-01'::date + day, 1, true, 1000, 1000
from generate_series(0, 199) day, generate_series(101, 400) team
"""


async def test_usage_reads_days_and_no_messages(demo_url: str, connection: Connection) -> None:
    await connection.execute(
        "insert into organization (id, name) select n, 'Team' from generate_series(101, 400) n"
    )
    await connection.execute(GROWN)
    await connection.execute("vacuum analyze")
    superadmin = Actor(1, "Sam Superadmin", is_superadmin=True)
    period = Period(date(2025, 3, 1), date(2025, 3, 31))
    async with open_database(demo_url) as database, database.reads() as session:
        team = await get_team(session, superadmin, team_id=101)
        with statements(database) as seen:
            for by in UsageBy:
                await usage_of_teams(session, [Wanted(team, period, by)])
            await next_campaigns(session, team, period=period, after=0, limit=10)
            of_one_team = len(seen)
            await account_usage(session, superadmin, period=period, limit=50, offset=0)
            await next_teams(session, superadmin, period=period, after=0, limit=50)
        raw = await session.connection()
        for position, (statement, parameters) in enumerate(seen):
            found = await raw.exec_driver_sql(
                f"explain (analyze, format json) {statement}", parameters
            )
            [plan] = found.scalar_one()
            scans = [node for node in nodes(plan["Plan"]) if "Relation Name" in node]
            read = {node["Relation Name"] for node in scans}
            assert read <= {"usage_day", "organization", "all_campaign", "credit_account",
                            "credit_exhaustion", "user_organization"}, statement  # fmt: skip
            days = [node for node in scans if node["Relation Name"] == "usage_day"]
            assert all(node["Node Type"] != "Seq Scan" for node in days), statement
            looked_at = sum(
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                for node in days
            )
            most = 31 if position < of_one_team else 31 * 300
            assert looked_at <= most, statement
    assert of_one_team == 4 and len(seen) == 8, seen


async def test_all_teams_of_a_list_are_asked_for_at_once(resources: Resources, api: Api) -> None:
    document = """{ teams { teams {
      usage(from: "2025-01-01", to: "2025-01-31") { texts }
      months: usage(from: "2025-01-01", to: "2025-01-31", by: MONTH) { texts }
    } } }"""
    with statements(resources.database) as seen:
        assert len((await api("superadmin", document)).ok["teams"]["teams"]) == 12
    assert sum("usage_day" in statement for statement, _ in seen) == 2
