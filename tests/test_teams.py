"""Teams as superadmins list them, their purchases, and the estimate of what a text will cost."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from services.segments import as_sent
from tests.api import ADD, Answer, Api

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
BAD = "BAD_USER_INPUT"
STATES = ("DISABLED", "AVAILABLE", "SHORT", "EXHAUSTED")
LIST = """
query($search: String, $on: Boolean, $states: [CreditStatus!], $order: TeamOrder! = NAME_ASC,
      $limit: Int! = 1000, $offset: Int! = 0) {
  teams(search: $search, creditsEnabled: $on, creditStatus: $states, orderBy: $order,
        limit: $limit, offset: $offset) {
    teams { id name creditsEnabled creditStatus remainingCredits purchasedCredits usedCredits }
    pageInfo { limit offset total next previous }
  }
}
"""
# Among them each character that means something to LIKE, and the one that escapes it.
NAMES = (
    "100% Renewable", "100 Renewable", "under_score", "underscore", "back\\slash", "backslash",
    "either/or", "either or", "Ärzte", "ärzte", "ÄRZTE", "it's", "Zebra", "zebra",
)  # fmt: skip
SEARCHES = {
    "%": {"100% Renewable"},
    "0%": {"100% Renewable"},
    "_": {"under_score"},
    "r_s": {"under_score"},
    "\\": {"back\\slash"},
    "/": {"either/or"},
    "ärz": {"Ärzte", "ärzte", "ÄRZTE"},
    "ZEBRA": {"Zebra", "zebra"},
    "t's": {"it's"},
    " renew ": {"100% Renewable", "100 Renewable"},
    "harbor t": {"Harbor Tenants Union"},
    "Gone": set(),
    "no such team": set(),
}
# From the ledger and the purchases, not from the account: another way than the API's.
FACTS = """
select o.id, o.name, coalesce(a.enabled, false),
  coalesce((select sum(amount) from credit_entry e where e.team_id = o.id), 0)::int,
  (select max(created_at) from credit_purchase p where p.team_id = o.id and removed_at is null),
  exists (select from credit_exhaustion x where x.team_id = o.id and x.closed_at is null),
  coalesce((select sum(amount) from credit_purchase p
    where p.team_id = o.id and removed_at is null), 0)::int
from organization o left join credit_account a on a.team_id = o.id
where o.deleted_at is null
"""


@pytest.fixture
async def connection(demo_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(demo_url, autocommit=True) as connection:
        yield connection


async def add(api: Api, team_id: int, amount: int) -> Any:
    return (await api("superadmin", ADD, t=str(team_id), n=amount)).ok["addCredits"]["id"]


@pytest.fixture
async def many(api: Api, connection: Connection) -> Api:
    """On teams of all kinds: in each state, with names that a search may stumble over, deleted,
    and with purchases at different times."""
    for name in NAMES:
        await connection.execute("insert into organization (name) values (%s)", [name])
    await connection.execute("insert into organization (name, deleted_at) values ('Gone', now())")
    for team_id, amount in ((3, 40), (10, 2), (9, 1), (3, 60)):
        await add(api, team_id, amount)
    await connection.execute(
        "insert into credit_exhaustion (team_id, reason, remaining, required) "
        "values (10, 'SHORT', 2, 3)"
    )
    return api


async def facts(connection: Connection) -> list[tuple[Any, ...]]:
    return await (await connection.execute(FACTS)).fetchall()


def status_of(enabled: bool, remaining: int, is_short: bool) -> str:
    if not enabled:
        return "DISABLED"
    if remaining <= 0:
        return "EXHAUSTED"
    return "SHORT" if is_short else "AVAILABLE"


async def listed(api: Api, **variables: Any) -> list[dict[str, Any]]:
    answer = (await api("superadmin", LIST, **variables)).ok
    found: list[dict[str, Any]] = answer["teams"]["teams"]
    return found


async def test_search_takes_every_character_as_it_is(many: Api) -> None:
    found = {
        search: {team["name"] for team in await listed(many, search=search)} for search in SEARCHES
    }
    assert found == SEARCHES
    assert await listed(many, search="  ") == await listed(many)


async def test_filters(many: Api, connection: Connection) -> None:
    expected: dict[str, set[str]] = {state: set() for state in STATES}
    for team_id, _, enabled, remaining, _, is_short, _ in await facts(connection):
        expected[status_of(enabled, remaining, is_short)].add(str(team_id))
    assert all(expected.values())
    for state in STATES:
        assert {t["id"] for t in await listed(many, states=[state])} == expected[state]
    blocked = {t["id"] for t in await listed(many, states=["SHORT", "EXHAUSTED"])}
    assert blocked == expected["SHORT"] | expected["EXHAUSTED"]
    assert await listed(many, states=[]) == []
    off = {t["id"] for t in await listed(many, on=False)}
    assert off == expected["DISABLED"]
    everybody = {t["id"] for t in await listed(many)}
    assert {t["id"] for t in await listed(many, on=True)} == everybody - off
    chosen = await listed(many, search="Youth", on=True, states=["AVAILABLE"])
    assert [team["name"] for team in chosen] == ["Youth Vote Collective"]


# Whether credits are on, what remains, what was bought, its own threshold, whether a text was
# refused; and whether it is running low, at 20 or 5 percent.
LOW = {
    "above": (True, 21, 100, None, False, False),
    "at the higher one": (True, 20, 100, None, False, True),
    "the last one": (True, 1, 100, None, False, True),
    "nothing left": (True, 0, 100, None, False, False),
    "rounded down": (True, 19, 99, None, False, True),
    "above what is rounded down": (True, 20, 99, None, False, False),
    "its own": (True, 50, 100, 50, False, True),
    "above its own": (True, 51, 100, 50, False, False),
    "its own alone": (True, 7, 0, 7, False, True),
    "short": (True, 2, 100, None, True, False),
    "off": (False, 1, 100, 50, False, False),
}
LOW_TEAM = """
with team as (insert into organization (name) values (%(name)s) returning id),
account as (
  insert into credit_account (team_id, enabled, balance, bought_since_empty, low_credits)
  select id, %(on)s, %(left)s, %(bought)s, %(own)s from team
)
insert into credit_exhaustion (team_id, reason, remaining, required)
select id, 'SHORT', %(left)s, %(left)s + 1 from team where %(short)s
"""


async def test_running_low_is_at_a_threshold_and_not_blocked(
    api: Api, connection: Connection
) -> None:
    for name, (on, left, bought, own, short, _) in LOW.items():
        values = {"name": name, "on": on, "left": left, "bought": bought, "own": own}
        await connection.execute(LOW_TEAM, {**values, "short": short})
    document = "query($low: Boolean) { teams(runningLow: $low) { teams { name isRunningLow } } }"
    names = {}
    for low in (True, False, None):
        teams = (await api("superadmin", document, low=low)).ok["teams"]["teams"]
        shown = {True, False} if low is None else {low}
        assert {team["isRunningLow"] for team in teams} == shown
        names[low] = {team["name"] for team in teams}
    assert names[True] | names[False] == names[None]
    assert names[True] & LOW.keys() == {name for name, (*_, low) in LOW.items() if low}
    assert "Mesa Water Protectors" in names[False]  # which never had credits


async def test_every_number_adds_up(many: Api, connection: Connection) -> None:
    by_id = {str(fact[0]): fact for fact in await facts(connection)}
    teams = await listed(many)
    assert {team["id"] for team in teams} == by_id.keys()
    for team in teams:
        _, name, enabled, remaining, _, is_short, purchased = by_id[team["id"]]
        assert (team["remainingCredits"], team["purchasedCredits"]) == (remaining, purchased)
        assert team["remainingCredits"] == team["purchasedCredits"] - team["usedCredits"]
        assert (team["name"], team["creditsEnabled"]) == (name, enabled)
        assert team["creditStatus"] == status_of(enabled, remaining, is_short)


async def test_orders_have_ties_by_id(many: Api, connection: Connection) -> None:
    rows = await facts(connection)
    bought = sorted((row for row in rows if row[4]), key=lambda row: row[0])
    never = sorted(row[0] for row in rows if not row[4])
    assert [row[0] for row in sorted(bought, key=lambda row: row[4], reverse=True)][:3] == [
        3,
        9,
        10,
    ]
    by_id = sorted(rows)
    expected = {
        "NAME_ASC": sorted(by_id, key=lambda row: row[1].lower()),
        "NAME_DESC": sorted(by_id, key=lambda row: row[1].lower(), reverse=True),
        "REMAINING_ASC": sorted(by_id, key=lambda row: row[3]),
        "REMAINING_DESC": sorted(by_id, key=lambda row: row[3], reverse=True),
        "PURCHASED_ASC": sorted(by_id, key=lambda row: row[6]),
        "PURCHASED_DESC": sorted(by_id, key=lambda row: row[6], reverse=True),
        "USED_ASC": sorted(by_id, key=lambda row: row[6] - row[3]),
        "USED_DESC": sorted(by_id, key=lambda row: row[6] - row[3], reverse=True),
    }
    orders = {name: [row[0] for row in ordered] for name, ordered in expected.items()}
    oldest = [row[0] for row in sorted(bought, key=lambda row: row[4])]
    newest = [row[0] for row in sorted(bought, key=lambda row: row[4], reverse=True)]
    orders |= {"LAST_PURCHASE_ASC": never + oldest, "LAST_PURCHASE_DESC": newest + never}
    found = {
        order: [int(team["id"]) for team in await listed(many, order=order)] for order in orders
    }
    assert found == orders


async def test_a_removed_purchase_is_not_the_last_one(many: Api) -> None:
    document = "mutation($id: ID!) { removeCreditPurchase(id: $id) { id } }"
    newest_first = {"order": "LAST_PURCHASE_DESC", "limit": 1}
    purchase_id = await add(many, 11, 5)
    assert [t["id"] for t in await listed(many, **newest_first)] == ["11"]
    assert (await many("superadmin", document, id=purchase_id)).ok
    assert [t["id"] for t in await listed(many, **newest_first)] == ["3"]


async def test_pages_make_up_the_list(many: Api) -> None:
    everything = await listed(many, order="REMAINING_DESC")
    found: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        answer = await many("superadmin", LIST, order="REMAINING_DESC", limit=7, offset=offset)
        page, info = answer.ok["teams"]["teams"], answer.ok["teams"]["pageInfo"]
        following = offset + 7 if offset + 7 < len(everything) else None
        assert info == {
            "limit": 7,
            "offset": offset,
            "total": len(everything),
            "next": following,
            "previous": offset - 7 if offset else None,
        }
        found += page
        offset = info["next"]
    assert found == everything
    assert len(found) == 12 + len(NAMES)


async def test_a_page_beyond_the_end_knows_the_total(many: Api) -> None:
    answer = await many("superadmin", LIST, search="zebra", limit=5, offset=500)
    assert answer.ok["teams"]["teams"] == []
    found = len(await listed(many, search="zebra"))
    assert found > 0
    assert answer.ok["teams"]["pageInfo"]["total"] == found
    assert answer.ok["teams"]["pageInfo"]["next"] is None


async def test_bounds_of_a_page(many: Api) -> None:
    async def page(**variables: Any) -> Answer:
        return await many("superadmin", LIST, search="zebra", **variables)

    assert (await page(limit=0)).codes == [BAD]
    assert (await page(limit=1001)).codes == [BAD]
    assert (await page(limit=-1)).codes == [BAD]
    assert (await page(offset=-1)).codes == [BAD]
    whole = (await page(limit=1000)).ok["teams"]
    assert len(whole["teams"]) == 2
    info = {"limit": 1000, "offset": 0, "total": 2, "next": None, "previous": None}
    assert whole["pageInfo"] == info
    exact = (await page(limit=1, offset=1)).ok["teams"]
    assert exact["teams"] == whole["teams"][1:]
    info = {"limit": 1, "offset": 1, "total": 2, "next": None, "previous": 0}
    assert exact["pageInfo"] == info
    overlapping = (await page(limit=2, offset=1)).ok["teams"]["pageInfo"]
    assert (overlapping["next"], overlapping["previous"]) == (None, 0)
    beyond = (await page(limit=1, offset=2**31 - 1)).ok["teams"]
    assert (beyond["teams"], beyond["pageInfo"]["next"]) == ([], None)


async def test_without_arguments_the_first_50_by_name(many: Api, connection: Connection) -> None:
    await connection.execute(
        "insert into organization (name) select 'Team ' || n from generate_series(1, 60) n"
    )
    default = (await many("superadmin", "{ teams { teams { id } pageInfo { limit offset } } }")).ok
    assert default["teams"]["pageInfo"] == {"limit": 50, "offset": 0}
    first = await listed(many, order="NAME_ASC", limit=50)
    assert [team["id"] for team in default["teams"]["teams"]] == [team["id"] for team in first]


async def test_the_demo_has_what_its_texts_cost(api: Api) -> None:
    """Team 2 has sent ten texts for the ten credits that it had."""
    team = (await listed(api, search="Harbor"))[0]
    assert (team["usedCredits"], team["remainingCredits"]) == (10, 0)
    assert team["creditStatus"] == "EXHAUSTED"


STATE = '{ team(id: "1") { creditStatus remainingCredits turningOnWouldBlock } }'


async def state(api: Api) -> tuple[str, int, bool]:
    team = (await api("superadmin", STATE)).ok["team"]
    return team["creditStatus"], team["remainingCredits"], team["turningOnWouldBlock"]


async def turn(api: Api, on: bool) -> None:
    document = "mutation($on: Boolean!) { setCreditsEnabled(teamId: 1, enabled: $on) { id } }"
    assert (await api("owner", document, on=on)).ok


async def test_a_team_goes_through_all_four_states(api: Api) -> None:
    media = "Look! [https://example.org/a.png]"
    assert await state(api) == ("AVAILABLE", 25, False)
    assert (await api("superadmin", "mutation { removeCreditPurchase(id: 1) { id } }")).ok
    assert await state(api) == ("EXHAUSTED", 0, False)
    await turn(api, False)
    assert await state(api) == ("DISABLED", 0, True)
    await add(api, 1, 2)
    assert await state(api) == ("DISABLED", 2, False)
    await turn(api, True)
    assert await state(api) == ("AVAILABLE", 2, False)
    assert (await api.send("texter", 1, media)).codes == ["INSUFFICIENT_CREDITS"]
    assert await state(api) == ("SHORT", 2, False)
    assert (await api.send("texter", 1, "Hi!")).ok
    assert await state(api) == ("SHORT", 1, False)
    await add(api, 1, 1)
    assert await state(api) == ("AVAILABLE", 2, False)
    assert (await api.send("texter", 1, "Hi!")).ok
    assert (await api.send("texter", 1, "Hi!")).ok
    assert await state(api) == ("EXHAUSTED", 0, False)
    assert (await api.send("texter", 1, "Hi!")).codes == ["INSUFFICIENT_CREDITS"]
    await turn(api, False)
    assert await state(api) == ("DISABLED", 0, True)
    assert (await api.send("texter", 1, "Hi!")).ok
    assert await state(api) == ("DISABLED", 0, True)


async def test_an_answer_within_a_document_is_as_of_the_work_before_it(api: Api) -> None:
    shown = "{ remainingCredits creditStatus creditsEnabled creditPurchases { amount } }"
    answer = await api(
        "superadmin",
        f"""mutation {{
          before: setCreditsEnabled(teamId: 3, enabled: true) {shown}
          added: addCredits(teamId: 3, amount: 4) {{ id team {shown} }}
          again: addCredits(teamId: 3, amount: 5) {{ id team {shown} }}
          off: setCreditsEnabled(teamId: 3, enabled: false) {shown}
        }}""",
    )
    four, nine = [{"amount": 4}], [{"amount": 5}, {"amount": 4}]
    keys = ("remainingCredits", "creditStatus", "creditsEnabled", "creditPurchases")
    data = answer.ok
    assert data["before"] == dict(zip(keys, (0, "EXHAUSTED", True, []), strict=True))
    assert data["added"]["team"] == dict(zip(keys, (4, "AVAILABLE", True, four), strict=True))
    assert data["again"]["team"] == dict(zip(keys, (9, "AVAILABLE", True, nine), strict=True))
    assert data["off"] == dict(zip(keys, (9, "DISABLED", False, nine), strict=True))


async def test_sends_within_a_document_show_what_they_left(api: Api) -> None:
    send = 'sendMessage(campaignContactId: "1", message: {text: "%s", assignmentId: "1"})'
    shown = "{ messageStatus messages { text } }"
    answer = await api("texter", f"mutation {{ a: {send % 'A'} {shown} b: {send % 'B'} {shown} }}")
    assert [message["text"] for message in answer.ok["a"]["messages"]] == ["A"]
    assert [message["text"] for message in answer.ok["b"]["messages"]] == ["A", "B"]


PURCHASES = """
query($id: ID!, $removed: Boolean! = false, $limit: Int! = 100, $offset: Int! = 0) {
  team(id: $id) {
    name
    creditPurchases(includeRemoved: $removed, limit: $limit, offset: $offset) {
      id amount removedAt
    }
  }
}
"""


async def purchases(api: Api, **variables: Any) -> list[int]:
    """Their amounts."""
    team = (await api("superadmin", PURCHASES, **variables)).ok["team"]
    return [purchase["amount"] for purchase in team["creditPurchases"]]


async def test_purchases_are_newest_first(api: Api) -> None:
    added = [await add(api, 3, amount) for amount in (3, 1, 2, 5, 4)]
    assert await purchases(api, id="3") == [4, 5, 2, 1, 3]
    document = "mutation($id: ID!) { removeCreditPurchase(id: $id) { removedAt } }"
    assert (await api("superadmin", document, id=added[3])).ok["removeCreditPurchase"]["removedAt"]
    assert await purchases(api, id="3") == [4, 2, 1, 3]
    assert await purchases(api, id="3", removed=True) == [4, 5, 2, 1, 3]
    assert await purchases(api, id="3", limit=2) == [4, 2]
    assert await purchases(api, id="3", limit=2, offset=2) == [1, 3]
    assert await purchases(api, id="3", limit=2, offset=2, removed=True) == [2, 1]
    assert await purchases(api, id="3", offset=4) == []
    assert await purchases(api, id="10") == []


async def test_bounds_of_a_page_of_purchases(api: Api, connection: Connection) -> None:
    for wrong in ({"limit": 0}, {"limit": 501}, {"limit": -1}, {"offset": -1}):
        answer = await api("superadmin", PURCHASES, id="3", **wrong)
        assert answer.codes == [BAD]
        assert answer.data["team"] == {"name": "Student Climate Network", "creditPurchases": None}
    await connection.execute(
        "insert into credit_purchase (team_id, amount, purchased_by_name) "
        "select 3, n, 'Sam' from generate_series(1, 510) n"
    )
    assert await purchases(api, id="3", limit=500) == list(range(510, 10, -1))
    assert await purchases(api, id="3") == list(range(510, 410, -1))


async def test_a_purchase_tells_who_when_and_why(api: Api) -> None:
    shown = """{ amount note createdAt removedAt purchasedByName removedByName
                 purchasedBy { displayName } removedBy { displayName } team { id } }"""
    add_noted = f'mutation {{ addCredits(teamId: 3, amount: 7, note: " Spring ") {shown} }}'
    added = (await api("superadmin", add_noted)).ok["addCredits"]
    [listed_one] = (
        await api("superadmin", f'{{ team(id: "3") {{ creditPurchases {shown} }} }}')
    ).ok["team"]["creditPurchases"]
    assert listed_one == added
    assert added.pop("createdAt")
    sam = {"displayName": "Sam Superadmin"}
    assert added == {
        "amount": 7,
        "note": "Spring",
        "removedAt": None,
        "purchasedByName": "Sam Superadmin",
        "purchasedBy": sam,
        "removedByName": None,
        "removedBy": None,
        "team": {"id": "3"},
    }


async def test_a_purchase_tells_what_remained_after_it(api: Api) -> None:
    """Whatever was used, removed and added since."""

    async def change(document: str) -> int:
        """What it says of the purchase."""
        answer = await api("superadmin", f"mutation {{ change: {document} {{ remainingAfter }} }}")
        remaining: int = answer.ok["change"]["remainingAfter"]
        return remaining

    assert await change("addCredits(teamId: 1, amount: 10)") == 35
    assert (await api.send("texter", 1)).ok
    assert await change("removeCreditPurchase(id: 1)") == 25
    assert await change('addCredits(teamId: 1, amount: 4, idempotencyKey: "k")') == 13
    assert (await api.send("texter", 2)).ok
    assert await change('addCredits(teamId: 1, amount: 4, idempotencyKey: "k")') == 13
    document = "{ team(id: 1) { creditPurchases(includeRemoved: true) { remainingAfter } } }"
    listed = (await api("superadmin", document)).ok["team"]["creditPurchases"]
    assert [purchase["remainingAfter"] for purchase in listed] == [13, 35, 25]


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is sent to the database meanwhile, by whatever way, but for checks of connections."""
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def noted(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        if str(query).strip(" ;"):
            sent.append(str(query))
        return await execute(cursor, query, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncCursor, "execute", noted)
        yield sent


WITH_PEOPLE = """
query($limit: Int!) {
  teams(search: "Crowd", limit: $limit) {
    teams {
      id remainingCredits
      organization { id name team { id creditStatus } }
      creditContacts { id displayName } campaigns { id title }
      creditPurchases(includeRemoved: true) {
        id amount remainingAfter team { id name }
        purchasedBy { id displayName email organizations { id } } removedBy { id displayName email }
      }
    }
    pageInfo { total }
  }
}
"""
CROWD = """
with person as (
  insert into "user" (auth0_id, first_name, last_name, cell, email)
  select 'x', 'Person', n::text, '', n || '@crowd.example.org' from generate_series(1, 40) n
  returning id
),
team as (
  insert into organization (name) select 'Crowd ' || n from generate_series(1, 100) n returning id
),
account as (
  insert into credit_account (team_id, enabled, balance, purchased) select id, true, 9, 9 from team
),
purchase as (
  insert into credit_purchase (team_id, amount, purchased_by, purchased_by_name, removed_at,
    removed_by, removed_by_name)
  select team.id, n, (select min(id) from person) + (team.id + n) % 40, 'Person',
    case when n % 3 = 0 then now() end,
    case when n % 3 = 0 then (select min(id) from person) + (team.id * n) % 40 end,
    case when n % 3 = 0 then 'Person' end
  from team, generate_series(1, 6) n
  returning id, team_id, amount
)
insert into credit_entry (team_id, kind, amount, balance_after, purchase_id)
select team_id, 'PURCHASE', amount, amount, id from purchase
"""


async def test_ten_times_the_teams_take_no_more_statements(
    api: Api, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connection.execute(CROWD)
    counts = []
    # The first one opens connections.
    for limit in (5, 10, 100):
        with statements(monkeypatch) as sent:
            answer = await api("superadmin", WITH_PEOPLE, limit=limit)
        teams = answer.ok["teams"]["teams"]
        assert len(teams) == limit
        assert all(len(team["creditPurchases"]) == 6 for team in teams)
        assert all(p["team"]["id"] == t["id"] for t in teams for p in t["creditPurchases"])
        assert all(p["purchasedBy"]["email"] for t in teams for p in t["creditPurchases"])
        counts.append(len(sent))
    assert counts[1] == counts[2]
    # Session, total, page, and at most one for each kind of thing in the document.
    assert counts[2] <= 10


MORE_TODOS = """
with made as (
  insert into all_campaign (organization_id, title, is_started, is_archived)
  select 1, 'Campaign ' || n, true, false from generate_series(1, 40) n returning id
)
insert into assignment (user_id, campaign_id) select 5, id from made
"""
WITH_BANNERS = """
{ currentUser { todos(organizationId: "1") { creditStatus campaign { creditStatus } } } }
"""


async def test_a_banner_for_each_of_a_list_takes_no_more_statements(
    api: Api, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for todos in (1, 1, 41):  # the first one opens connections
        if todos > 1:
            await connection.execute(MORE_TODOS)
        with statements(monkeypatch) as sent:
            answer = await api("texter", WITH_BANNERS)
        assert answer.ok["currentUser"]["todos"] == todos * [
            {"creditStatus": "AVAILABLE", "campaign": {"creditStatus": "AVAILABLE"}}
        ]
        counts.append(len(sent))
    assert counts[1] == counts[2]


MORE_PEOPLE = """
with person as (
  insert into "user" (auth0_id, first_name, last_name, cell, email, is_suspended)
  select 'x', split_part(name, ' ', 1), split_part(name, ' ', 2), '', name, name like 'Gone %%'
  from unnest(%s::text[]) name returning id, email
)
insert into user_organization (user_id, organization_id, role)
select person.id, team_id, role from unnest(%s::text[], %s::int[], %s::text[])
  as part (name, team_id, role) join person on email = name::citext
"""
PARTS = (
    ("zoe A", 1, "OWNER"), ("Zoe B", 1, "OWNER"), ("Ada A", 1, "ADMIN"), ("bea A", 1, "ADMIN"),
    ("Cy A", 1, "ADMIN"), ("Gone A", 1, "OWNER"), ("Ada A", 2, "SUSPENDED"),
    ("Zoe B", 2, "ADMIN"), ("Cy A", 2, "OWNER"), ("bea A", 2, "SUPERVOLUNTEER"),
)  # fmt: skip


async def test_whom_to_ask_for_credits(api: Api, connection: Connection) -> None:
    everybody = sorted({name for name, _, _ in PARTS})
    names, teams, roles = zip(*PARTS, strict=True)
    await connection.execute(MORE_PEOPLE, [everybody, list(names), list(teams), list(roles)])
    document = "query($id: ID!) { team(id: $id) { creditContacts { displayName email } } }"

    async def asked(who: str, team_id: int) -> Answer:
        return await api(who, document, id=team_id)

    def people(answer: Answer) -> list[str]:
        return [person["displayName"] for person in answer.data["team"]["creditContacts"]]

    first = await asked("superadmin", 1)
    assert people(first) == ["Olivia Owner", "zoe A", "Zoe B", "Ada A", "Adam Admin"]
    assert not first.errors
    assert people(await asked("superadmin", 2)) == ["Cy A", "Zoe B"]
    assert people(await asked("superadmin", 3)) == []
    # Texters see the names alone.
    shown = await asked("texter", 1)
    assert people(shown) == people(first)
    assert set(shown.codes) == {"FORBIDDEN"}
    assert {person["email"] for person in shown.data["team"]["creditContacts"]} == {None}


CAMPAIGNS = """
query($id: ID!, $search: String, $limit: Int! = 50, $offset: Int! = 0) {
  team(id: $id) { campaigns(search: $search, limit: $limit, offset: $offset) { title } }
}
"""
MORE_CAMPAIGNS = """
insert into all_campaign (organization_id, title, is_archived, is_template) values
  (3, 'Café 100%', false, false), (3, 'CAFÉ 100', null, false), (3, 'Over', true, false),
  (3, 'Template', false, true), (4, 'Another''s', false, false)
"""


async def test_campaigns_are_newest_first(api: Api, connection: Connection) -> None:
    async def titles(**variables: Any) -> list[str]:
        team = (await api("superadmin", CAMPAIGNS, **{"id": "3", **variables})).ok["team"]
        return [campaign["title"] for campaign in team["campaigns"]]

    await connection.execute(MORE_CAMPAIGNS)
    everything = ["CAFÉ 100", "Café 100%", "Student Climate Network: Saturday"]
    assert await titles() == everything
    assert await titles(search=" café ") == everything[:2]
    assert await titles(search="0%") == everything[1:2]
    assert await titles(search="Over") == await titles(search="Template") == []
    assert await titles(limit=1) + await titles(limit=2, offset=1) == everything
    assert await titles(offset=3) == []
    assert await titles(id="11") == ["Old Mill Neighbors: Saturday"]
    refused = await api("superadmin", CAMPAIGNS, id="3", search="x" * 201)
    assert refused.codes == [BAD]


ESTIMATE = """
query($text: String!, $recipients: Int! = 1, $replies: Float! = 0, $media: Boolean! = false) {
  estimateCredits(text: $text, recipients: $recipients, repliesPerRecipient: $replies,
                  media: $media) {
    encoding charactersUsed charactersLeftInSegment segmentsPerText creditsPerText credits
    charactersForcingUcs2
  }
}
"""
PICTURE = "Look! [https://example.org/a.png]"
MEASURED = {
    # text:      encoding, used, left, segments, credits, forcing UCS-2
    "Hi":            ("GSM_7", 2, 158, 1, 1, []),
    "a" * 160:       ("GSM_7", 160, 0, 1, 1, []),
    "a" * 161:       ("GSM_7", 161, 145, 2, 2, []),
    "a" * 306:       ("GSM_7", 306, 0, 2, 2, []),
    "a" * 307:       ("GSM_7", 307, 152, 3, 3, []),
    "€" * 80:        ("GSM_7", 160, 0, 1, 1, []),
    "€" * 81:        ("GSM_7", 162, 143, 2, 2, []),
    "Peña":          ("GSM_7", 4, 156, 1, 1, []),
    "Núñez":         ("UCS_2", 5, 65, 1, 1, ["ú"]),
    "ώúώ ñ ú":       ("UCS_2", 7, 63, 1, 1, ["ώ", "ú"]),
    "ú" * 70:        ("UCS_2", 70, 0, 1, 1, ["ú"]),
    "ú" * 71:        ("UCS_2", 71, 63, 2, 2, ["ú"]),
    "😀":            ("UCS_2", 2, 68, 1, 1, ["😀"]),
    # Curly apostrophes go out straight: they force nothing.
    "It’s ‘on’":     ("GSM_7", 9, 151, 1, 1, []),
    "’" * 160:       ("GSM_7", 160, 0, 1, 1, []),
    "“Hi”":          ("UCS_2", 4, 66, 1, 1, ["“", "”"]),
    # Media have their price, whatever the length.
    PICTURE:         ("GSM_7", 35, 125, 1, 3, []),
    PICTURE * 9:     ("GSM_7", 315, 144, 1, 3, []),
}  # fmt: skip


async def estimate(api: Api, text: str, **variables: Any) -> dict[str, Any]:
    answer = (await api("texter", ESTIMATE, text=text, **variables)).ok
    found: dict[str, Any] = answer["estimateCredits"]
    return found


async def test_estimate_of_one_text(api: Api) -> None:
    found = {text: tuple((await estimate(api, text)).values()) for text in MEASURED}
    expected = {
        text: (encoding, used, left, segments, cost, cost, forcing)
        for text, (encoding, used, left, segments, cost, forcing) in MEASURED.items()
    }
    assert found == expected


async def test_estimate_of_a_campaign(api: Api) -> None:
    """Answers to replies are a credit each, and rounded up once, without errors of fractions."""
    table = {
        # text, recipients, replies per recipient, media: credits
        ("Hi", 10, 0, False): 10,
        ("a" * 161, 10, 0, False): 20,
        ("Hi", 10, 0, True): 30,
        ("a" * 400, 10, 0, True): 30,
        (PICTURE, 10, 0, True): 30,
        ("Hi", 3, 0.1, False): 4,
        ("Hi", 10, 0.1, False): 11,
        ("Hi", 30, 0.1, False): 33,
        ("Hi", 100, 0.07, False): 107,
        ("Hi", 100, 1.1, False): 210,
        ("Hi", 3, 1.1, False): 7,
        ("Hi", 1, 0.0001, False): 2,
        ("Hi", 7, 100, False): 707,
        ("a" * 161, 100, 0.29, False): 229,
        ("Hi", 10_000_000, 100, False): 1_010_000_000,
        # More than 32 bits hold.
        ("ú" * 10_000, 10_000_000, 100, False): 150 * 10_000_000 + 1_000_000_000,
    }
    found = {
        (text, recipients, replies, media): (
            await estimate(api, text, recipients=recipients, replies=replies, media=media)
        )["credits"]
        for text, recipients, replies, media in table
    }
    assert found == table


async def test_bounds_of_an_estimate(api: Api) -> None:
    for wrong in (
        {"recipients": 0},
        {"recipients": -1},
        {"recipients": 10_000_001},
        {"replies": -0.1},
        {"replies": 100.1},
        {"text": ""},
        {"text": " \n"},
        {"text": "a\0"},
        {"text": "a" * 10_001},
    ):
        answer = await api("texter", ESTIMATE, **{"text": "Hi", **wrong})
        assert (answer.codes, answer.data) == ([BAD], {"estimateCredits": None}), wrong


TEXTS = (
    "Hi!",
    "a" * 160,
    "a" * 161,
    "Hi Núñez, it’s time",
    "It’s ‘on’ " * 17,
    "€" * 81,
    "ú" * 135,
    "👩‍👩‍👧‍👦" * 12,
    PICTURE,
    "[ http://example.org/a.png ] " + "ú" * 300,
    "Not a picture: [ftp://example.org/a.png]",
    " spaces around ",
)


async def test_what_the_preview_says_is_debited(api: Api, connection: Connection) -> None:
    await add(api, 1, 1000)
    for text in TEXTS:
        preview = await estimate(api, text)
        _, before, _ = await state(api)
        assert (await api.send("texter", 1, text)).ok
        _, after, _ = await state(api)
        assert before - after == preview["credits"] == preview["creditsPerText"], text
        row = await connection.execute("select text, num_segments from message order by id desc")
        assert await row.fetchone() == (as_sent(text), preview["segmentsPerText"]), text
