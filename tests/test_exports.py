"""Files for spreadsheets: who gets them, what they say, and what they cost."""

import asyncio
import csv
import io
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg
import pytest

from server.app import create_app
from server.exports import BYTE_ORDER_MARK, FIGURES, PURCHASES, ROWS_IN_A_PART, TEAMS
from server.resources import Resources
from services.settings import Settings
from tests.api import Api
from tests.conftest import SECRET
from tests.servers import served
from tests.test_access import FIGURES_VISIBLE_TO, OTHER, PEOPLE, by_person
from tests.test_usage import ACCOUNT, NAMES, USAGE

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

TODAY = datetime.now(UTC).date()
PERIOD = {"from": f"{TODAY - timedelta(days=30)}", "to": f"{TODAY}"}
USAGE_CSV, ACCOUNT_CSV = "/export/usage.csv", "/export/account-usage.csv"
PURCHASES_CSV, TEAMS_CSV = "/export/credit-purchases.csv", "/export/teams.csv"
# Names that spreadsheets may stumble over, or run.
NASTY = (
    '=HYPERLINK("http://evil.example","click")', "+1 (202) 555-0123", "-2+3", "@SUM(A1)",
    "\t=1", "\r=1", "  =1", "＝1", "a,b;c", 'say "hi"', "two\nlines", "Núñez 🌈 Ärzte", "'quoted'",
)  # fmt: skip


@pytest.fixture
async def connection(resources: Resources, demo_url: str) -> AsyncIterator[Connection]:
    """To the server's database, in which OTHER owns team 2."""
    async with await psycopg.AsyncConnection.connect(demo_url, autocommit=True) as connection:
        await connection.execute(
            "update user_organization set role = 'OWNER' where organization_id = 2 "
            """and user_id = (select id from "user" where email = %s)""",
            [f"{OTHER}@example.org"],
        )
        yield connection


async def get(api: Api, who: str, path: str, **parameters: str | list[str]) -> httpx2.Response:
    cookies = await api.sign_in(f"{who}@example.org") if who != "nobody" else {}
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return await api.client.get(path, params=parameters, headers={"cookie": cookie})


def table(response: httpx2.Response) -> list[dict[str, str]]:
    """As a spreadsheet reads it."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    text = response.content.decode()
    assert text.startswith(BYTE_ORDER_MARK) and text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))


def code(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    [error] = response.json()["errors"]
    assert error["message"]
    return response.status_code, error["extensions"]["code"]


async def add_teams(connection: Connection, names: tuple[str, ...]) -> None:
    """Each with a campaign of the same name, and usage of today."""
    for name in names:
        await connection.execute(
            "with team as (insert into organization (name) values (%s) returning id),"
            " campaign as (insert into all_campaign (organization_id, title)"
            "  select id, %s from team returning id)"
            " insert into usage_day (team_id, day, campaign_id, is_ours, texts, segments)"
            " select team.id, %s, campaign.id, true, 1, 2 from team, campaign",
            [name, name, TODAY],
        )


# Who gets them

CODES = {
    "ok": (200, None),
    "login": (401, "UNAUTHENTICATED"),
    "no": (403, "FORBIDDEN"),
}
EXPORTS = {
    #                           nobody susp. texter superv. admin owner other superadmin
    (USAGE_CSV, "teamId"):     "login  no    no     no      ok    ok    no    ok",
    (ACCOUNT_CSV, ""):         "login  no    no     no      no    no    no    ok",
    (PURCHASES_CSV, "teamId"): "login  no    no     no      no    no    no    ok",
    (PURCHASES_CSV, ""):       "login  no    no     no      no    no    no    ok",
    (TEAMS_CSV, ""):           "login  no    no     no      no    no    no    ok",
}  # fmt: skip


@pytest.mark.parametrize(("path", "parameter"), EXPORTS)
async def test_rights_are_those_of_the_fields(
    api: Api, connection: Connection, path: str, parameter: str
) -> None:
    row = EXPORTS[path, parameter].split()
    chosen = {**PERIOD, **({parameter: "1"} if parameter else {})}
    for person, word in zip(PEOPLE, row, strict=True):
        response = await get(api, person, path, **chosen)
        if word == "ok":
            assert table(response) is not None
        else:
            assert code(response) == CODES[word], person


@pytest.mark.parametrize(
    "settings", [{"credits_visible_to": name} for name in FIGURES_VISIBLE_TO], indirect=True
)
async def test_credits_are_for_those_whom_the_setting_names(
    api: Api, connection: Connection, settings: Settings
) -> None:
    """Who may not see them has no column of them."""
    refused = by_person(FIGURES_VISIBLE_TO[settings.credits_visible_to])
    for person in ("admin", "owner", "superadmin"):
        [first, *_] = table(await get(api, person, USAGE_CSV, teamId="1", **PERIOD))
        assert ("Credits used" in first) is (refused[person] is None)
        assert list(first)[-1] == ("Failed texts" if refused[person] else "Credits used")
        purchases = await get(api, person, PURCHASES_CSV, teamId="1")
        assert purchases.status_code == (403 if refused[person] else 200)
    assert (await get(api, "owner", PURCHASES_CSV, teamId="2")).status_code == 403


async def test_a_token_gets_them_too(api: Api, connection: Connection) -> None:
    response = await api.client.get(ACCOUNT_CSV, headers={"authorization": "Bearer nonsense"})
    assert code(response) == CODES["login"]


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (USAGE_CSV, {"teamId": None}),
        (USAGE_CSV, {"teamId": "one"}),
        (USAGE_CSV, {"from": None}),
        (USAGE_CSV, {"to": "yesterday"}),
        (USAGE_CSV, {"from": "2026-03-02", "to": "2026-03-01"}),
        (USAGE_CSV, {"from": "2020-01-01"}),
        (USAGE_CSV, {"by": "WEEK"}),
        (USAGE_CSV, {"from": "0001-01-01T00:00+14:00"}),
        (ACCOUNT_CSV, {"from": "2020-01-01"}),
        (ACCOUNT_CSV, {"to": ""}),
        (PURCHASES_CSV, {"teamId": ""}),
        (TEAMS_CSV, {"creditsEnabled": "1"}),
        (TEAMS_CSV, {"runningLow": ""}),
        (TEAMS_CSV, {"creditStatus": "BLOCKED"}),
        (TEAMS_CSV, {"search": "x" * 201}),
    ],
)
async def test_bad_questions_are_told_so(
    api: Api, path: str, changes: dict[str, str | None]
) -> None:
    chosen = {"teamId": "1", **PERIOD, **changes}
    given = {name: value for name, value in chosen.items() if value is not None}
    assert code(await get(api, "superadmin", path, **given)) == (400, "BAD_USER_INPUT")


async def test_unknown_teams_are_not_found_but_by_superadmins(api: Api) -> None:
    for path in (USAGE_CSV, PURCHASES_CSV):
        unknown = {"teamId": "987654", **PERIOD}
        assert code(await get(api, "superadmin", path, **unknown)) == (404, "NOT_FOUND")
        assert code(await get(api, "owner", path, **unknown)) == (403, "FORBIDDEN")


async def test_only_get_is_answered(api: Api) -> None:
    response = await api.client.post(ACCOUNT_CSV)
    assert code(response) == (405, "METHOD_NOT_ALLOWED")


# What they say


@pytest.mark.parametrize("by", ["DAY", "MONTH", "CAMPAIGN"])
async def test_usage_is_that_of_the_api(api: Api, by: str) -> None:
    shown = (await api("superadmin", USAGE, **PERIOD, by=by)).ok["team"]["usage"]
    found = table(await get(api, "superadmin", USAGE_CSV, teamId="1", by=by, **PERIOD))
    assert shown and len(found) == len(shown)
    for row, line in zip(sorted(shown, key=_campaign), found, strict=True):
        assert [line[heading] for heading in FIGURES] == [str(row[name]) for name in NAMES]
        assert (line["Team ID"], line["Team"]) == ("1", "North Valley Field")
        if by == "DAY":
            assert line["Day (UTC)"] == row["day"]
        elif by == "MONTH":
            assert line["Month (UTC)"] == row["month"]
        else:
            campaign = {"id": line["Campaign ID"], "title": line["Campaign"]}
            assert campaign == row["campaign"]
            assert {"from": line["From (UTC)"], "to": line["To (UTC)"]} == PERIOD


def _campaign(row: dict[str, Any]) -> int:
    """Files have campaigns by id."""
    return int(row["campaign"]["id"]) if row["campaign"] else 0


async def test_usage_of_the_account_is_that_of_the_api(api: Api) -> None:
    variables = {**PERIOD, "limit": 1000}
    shown = (await api("superadmin", ACCOUNT, **variables)).ok["accountUsage"]["rows"]
    found = table(await get(api, "superadmin", ACCOUNT_CSV, **PERIOD))
    right = [
        [row["team"]["id"], row["team"]["name"], *PERIOD.values(), *(str(row[n]) for n in NAMES)]
        for row in sorted(shown, key=lambda row: int(row["team"]["id"]))
    ]
    assert right and [list(line.values()) for line in found] == right
    assert list(found[0]) == ["Team ID", "Team", "From (UTC)", "To (UTC)", *FIGURES]


async def test_purchases_are_all_with_those_that_were_removed(
    api: Api, connection: Connection
) -> None:
    cursor = await connection.execute(
        "select p.id, team_id, o.name, amount, coalesce(note, ''),"
        " to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), purchased_by_name,"
        " coalesce(to_char(removed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), ''),"
        " coalesce(removed_by_name, '')"
        " from credit_purchase p join organization o on o.id = team_id order by p.id desc"
    )
    right = [dict(zip(PURCHASES, map(str, row), strict=True)) for row in await cursor.fetchall()]
    assert table(await get(api, "superadmin", PURCHASES_CSV)) == right
    own = table(await get(api, "superadmin", PURCHASES_CSV, teamId="6"))
    assert own == [line for line in right if line["Team ID"] == "6"]
    assert [bool(line["Removed by"]) for line in own] == [False, True]


TEAMS_DOCUMENT = """
query($search: String, $creditsEnabled: Boolean, $creditStatus: [CreditStatus!],
      $runningLow: Boolean) {
  teams(search: $search, creditsEnabled: $creditsEnabled, creditStatus: $creditStatus,
        runningLow: $runningLow, limit: 1000) {
    teams {
      id name creditsEnabled creditStatus remainingCredits purchasedCredits usedCredits
      creditPurchases(limit: 1) { createdAt }
    }
  }
}
"""
CHOICES: tuple[dict[str, Any], ...] = (
    {},
    {"search": " h"},
    {"creditsEnabled": True},
    {"creditsEnabled": False},
    {"creditStatus": ["DISABLED", "EXHAUSTED"]},
    {"creditStatus": ["SHORT"]},
    {"runningLow": True},
    {"runningLow": False, "search": "H", "creditStatus": ["AVAILABLE"], "creditsEnabled": True},
)


async def test_teams_are_those_of_the_api(api: Api, connection: Connection) -> None:
    await connection.execute("update organization set deleted_at = now() where id = 12")
    await connection.execute("update credit_account set low_credits = balance where team_id = 7")
    found = {}
    for number, chosen in enumerate(CHOICES):
        parameters = {
            name: value if isinstance(value, list | str) else str(value).lower()
            for name, value in chosen.items()
        }
        found[number] = table(await get(api, "superadmin", TEAMS_CSV, **parameters))
        answer = (await api("superadmin", TEAMS_DOCUMENT, **chosen)).ok
        teams = sorted(answer["teams"]["teams"], key=lambda team: int(team["id"]))
        assert [list(line.values()) for line in found[number]] == [_line(team) for team in teams]
    assert tuple(found[0][0]) == TEAMS
    assert len({len(lines) for lines in found.values()}) > 4


def _line(team: dict[str, Any]) -> list[str]:
    bought = [datetime.fromisoformat(one["createdAt"]) for one in team["creditPurchases"]]
    figures = [str(team[name]) for name in ("remainingCredits", "purchasedCredits", "usedCredits")]
    switch = "on" if team["creditsEnabled"] else "off"
    last = f"{bought[0].astimezone(UTC):%Y-%m-%d %H:%M:%S}" if bought else ""
    return [team["id"], team["name"], switch, team["creditStatus"], *figures, last]


async def test_what_people_wrote_arrives_and_is_never_a_formula(
    api: Api, connection: Connection
) -> None:
    await add_teams(connection, NASTY)
    found = table(await get(api, "superadmin", ACCOUNT_CSV, **PERIOD))
    names = [line["Team"] for line in found][-len(NASTY) :]
    assert [name.removeprefix("'") for name in names] == [n.removeprefix("'") for n in NASTY]
    assert [name for name in names if name.lstrip()[:1] in "=+-@＝"] == []
    assert [name[0] == "'" for name in names] == [True] * 8 + [False] * 4 + [True]
    own = table(await get(api, "superadmin", USAGE_CSV, teamId="13", by="CAMPAIGN", **PERIOD))
    assert own[0]["Campaign"] == f"'{NASTY[0]}"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("North Valley Field", "north-valley-field"),
        ('Ärzte & "Friends" / \r\n Núñez', "arzte-friends-nunez"),
        ("Команда", "team-1"),
        ("x" * 500, "x" * 60),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
async def test_files_have_names(api: Api, connection: Connection, name: str, slug: str) -> None:
    await connection.execute("update organization set name = %s where id = 1", [name])
    dates = f"{PERIOD['from']}-to-{PERIOD['to']}"
    expected = {
        (USAGE_CSV, "1"): f"usage-{slug}-by-day-{dates}",
        (ACCOUNT_CSV, ""): f"account-usage-{dates}",
        (PURCHASES_CSV, "1"): f"credit-purchases-{slug}-{TODAY}",
        (PURCHASES_CSV, ""): f"credit-purchases-all-teams-{TODAY}",
        (TEAMS_CSV, ""): f"teams-{TODAY}",
    }
    for (path, team_id), file in expected.items():
        chosen = {**PERIOD, **({"teamId": team_id} if team_id else {})}
        response = await get(api, "superadmin", path, **chosen)
        assert response.headers["content-disposition"] == f'attachment; filename="{file}.csv"'
        assert response.headers["cache-control"] == "no-store"


async def test_a_file_without_rows_has_its_headings(api: Api, connection: Connection) -> None:
    response = await get(
        api, "superadmin", ACCOUNT_CSV, **{"from": "2001-01-01", "to": "2001-01-01"}
    )
    assert table(response) == []
    assert response.text.count("\r\n") == 1


SEVERAL_PARTS = 2 * ROWS_IN_A_PART + 1
MORE_OF_ALL = """
with teams as (
  insert into organization (id, name) select n, 'Team ' || n from generate_series(1001, %(last)s) n
),
campaigns as (
  insert into all_campaign (id, organization_id, title)
  select n, 1, 'Campaign ' || n from generate_series(1001, %(last)s) n
),
used as (
  insert into usage_day (team_id, day, campaign_id, is_ours, texts)
  select team_id, %(today)s, campaign_id, true, 1 from generate_series(1001, %(last)s) n
  cross join lateral (values (n, 1), (1, n)) as key (team_id, campaign_id)
)
insert into credit_purchase (team_id, amount, purchased_by_name)
select 1, n, 'Sam' from generate_series(1001, %(last)s) n
"""


async def test_parts_join_without_a_gap(api: Api, connection: Connection) -> None:
    last = 1000 + SEVERAL_PARTS
    await connection.execute(MORE_OF_ALL, {"last": last, "today": TODAY})
    added = [str(n) for n in range(1001, last + 1)]
    account = table(await get(api, "superadmin", ACCOUNT_CSV, **PERIOD))
    assert [line["Team ID"] for line in account][-SEVERAL_PARTS:] == added
    teams = table(await get(api, "superadmin", TEAMS_CSV))
    assert [line["Team ID"] for line in teams][-SEVERAL_PARTS:] == added
    campaigns = table(await get(api, "owner", USAGE_CSV, teamId="1", by="CAMPAIGN", **PERIOD))
    assert [line["Campaign ID"] for line in campaigns][-SEVERAL_PARTS:] == added
    for whose in ({}, {"teamId": "1"}):
        purchases = table(await get(api, "superadmin", PURCHASES_CSV, **whose))
        assert [line["Credits"] for line in purchases][:SEVERAL_PARTS] == added[::-1]
    shown = len({line["Purchase"] for line in purchases})
    assert shown == len(purchases) == SEVERAL_PARTS + 1


# What they cost

MANY = 12_000
MANY_PURCHASES = """
insert into credit_purchase (team_id, amount, note, purchased_by_name)
select 1 + n %% 12, n, rpad('Invoice ' || n, %s), 'Sam Superadmin' from generate_series(1, %s) n
"""
MOST_MEGABYTES = 3
"""All rows at once take 11."""


@pytest.mark.long
async def test_long_files_cost_no_more_memory_and_hold_no_connection(
    resources: Resources, connection: Connection, api: Api
) -> None:
    """Whoever reads them, and however slowly."""
    await connection.execute(MANY_PURCHASES, [20, MANY])
    cookies = await api.sign_in("superadmin@example.org")
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    app = create_app(resources.settings, url="", secret=SECRET)
    app.state.resources = resources
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": PURCHASES_CSV, "raw_path": PURCHASES_CSV.encode(),
        "query_string": b"", "headers": [(b"cookie", cookie.encode())],
    }  # fmt: skip
    lines, parts = 0, 0
    pool = resources.database.reads.kw["bind"].sync_engine.pool

    async def receive() -> dict[str, Any]:
        return await asyncio.Future()  # the client says nothing more

    async def send(message: Any) -> None:
        nonlocal lines, parts
        if message["type"] == "http.response.body":
            lines += message["body"].count(b"\r\n")
            parts += 1
            assert pool.checkedout() == 0

    tracemalloc.start()
    try:
        await app({**scope}, receive, send)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines > MANY
    assert parts > MANY / ROWS_IN_A_PART
    assert peak < MOST_MEGABYTES * 2**20


async def test_a_file_that_cannot_be_finished_is_seen_to_be_cut_off(
    demo_url: str, connection: Connection
) -> None:
    """Else a part would pass for the whole."""
    await connection.execute(MANY_PURCHASES, [1000, MANY])
    with served(DATABASE_URL=demo_url, SESSION_SECRET=SECRET) as server:
        server.sign_in("superadmin@example.org")
        with server.client.stream("GET", PURCHASES_CSV) as response:
            assert response.status_code == 200
            chunks = response.iter_raw()
            assert next(chunks).decode().startswith(BYTE_ORDER_MARK)
            await connection.execute("alter table credit_purchase rename to gone")
            with pytest.raises(httpx2.RemoteProtocolError):
                list(chunks)
        assert server.client.get("/healthz").status_code == 200
        answer = server.client.get(PURCHASES_CSV)
        assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
