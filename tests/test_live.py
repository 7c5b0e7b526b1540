"""Who watches a team is told what changes, at once and no more than they may see."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack
from itertools import pairwise
from typing import Any

import httpx2
import psycopg
import pytest
from structlog.testing import capture_logs

from server import subscriptions
from server.resources import Resources, open_resources
from services import live
from services.bell import TEAMS
from services.sessions import create_token, revoke_token
from services.settings import Settings, load_settings
from tests.api import ADD, Api
from tests.cable import cable_to
from tests.conftest import SECRET
from tests.servers import Running, ended, served
from tests.sockets import (
    ALL,
    FIGURES,
    STATUS,
    Socket,
    Subscription,
    listening,
    until,
    watching,
)
from tests.test_teams import statements
from tests.world import of_cost

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Watch = Callable[..., Awaitable[Subscription]]

AVAILABLE = {"id": "1", "creditsEnabled": True, "creditStatus": "AVAILABLE"}
EXHAUSTED = AVAILABLE | {"creditStatus": "EXHAUSTED"}
SHORT = AVAILABLE | {"creditStatus": "SHORT"}
DISABLED = AVAILABLE | {"creditsEnabled": False, "creditStatus": "DISABLED"}
SWITCH = 'mutation($on: Boolean!) { setCreditsEnabled(teamId: "1", enabled: $on) { id } }'
REMOVE = "mutation($id: ID!) { removeCreditPurchase(id: $id) { id } }"
CREDITS = 25
"""Of team 1."""
NEVER = 3600.0


@pytest.fixture
async def connection(demo_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(demo_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def port(resources: Resources) -> AsyncIterator[int]:
    async with listening(resources) as port:
        yield port


@pytest.fixture
async def connect(port: int, api: Api) -> AsyncIterator[Callable[[str], Awaitable[Socket]]]:
    """A socket of a demo person."""
    async with AsyncExitStack() as sockets:

        async def opened(who: str) -> Socket:
            return await sockets.enter_async_context(watching(port, await api.cookie(who)))

        yield opened


@pytest.fixture
async def watch(connect: Callable[[str], Awaitable[Socket]]) -> Watch:
    """A subscription of a demo person, on a socket of its own."""

    async def subscribed(who: str, query: str = STATUS, **variables: Any) -> Subscription:
        return await (await connect(who)).subscribe(query, **variables)

    return subscribed


def never_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found out just because some seconds have passed."""
    monkeypatch.setattr(live, "SECONDS_UNTIL_ALL", NEVER)


async def add(api: Api, amount: int, team_id: int = 1) -> None:
    assert (await api("superadmin", ADD, t=str(team_id), n=amount)).ok


async def send(api: Api, texts: int, first: int = 1) -> None:
    for contact_id in range(first, first + texts):
        assert (await api.send("texter", contact_id)).ok


# What is told


async def test_members_are_told_of_every_status(api: Api, watch: Watch) -> None:
    texter = await watch("texter", id="1")
    assert await texter.told() == AVAILABLE
    await send(api, CREDITS - 2)
    assert (await api.send("texter", 30, of_cost(3))).codes == ["INSUFFICIENT_CREDITS"]
    assert await texter.told() == SHORT
    await send(api, 2, first=31)
    assert await texter.told() == EXHAUSTED
    await add(api, 5)
    assert await texter.told() == AVAILABLE
    assert (await api("owner", SWITCH, on=False)).ok
    assert await texter.told() == DISABLED
    assert (await api("owner", SWITCH, on=True)).ok
    assert await texter.told() == AVAILABLE
    assert (await api("superadmin", REMOVE, id="1")).ok
    assert await texter.told() == EXHAUSTED


async def test_members_are_told_nothing_while_only_figures_change(api: Api, watch: Watch) -> None:
    members = [await watch(who, id="1") for who in ("texter", "supervolunteer", "admin", "owner")]
    for member in members:
        assert await member.told() == AVAILABLE
    await send(api, 5)
    await add(api, 5)
    await asyncio.sleep(2 * live.SECONDS_BETWEEN_FIGURES)
    assert all([await member.is_silent(0) for member in members])


async def test_who_sees_figures_is_told_them_at_most_once_a_second(
    api: Api, watch: Watch, connection: Connection
) -> None:
    superadmin = await watch("superadmin", FIGURES, id="1")
    told = [await superadmin.told()]
    times = [time.monotonic()]
    sending = asyncio.create_task(send(api, 20))
    while told[-1]["remainingCredits"] > CREDITS - 20:
        told.append(await superadmin.told())
        times.append(time.monotonic())
    await sending
    assert await superadmin.is_silent(1.5)
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.8
    assert told[0] == {
        "creditStatus": "AVAILABLE",
        "remainingCredits": CREDITS,
        "purchasedCredits": CREDITS,
        "usedCredits": 0,
    }
    for one in told:
        assert one["remainingCredits"] == one["purchasedCredits"] - one["usedCredits"]


async def test_a_change_of_status_does_not_wait_for_the_second(api: Api, watch: Watch) -> None:
    superadmin = await watch("superadmin", FIGURES, id="1")
    await superadmin.told()
    await send(api, CREDITS - 1)
    while (await superadmin.told())["remainingCredits"] > 1:
        pass
    await send(api, 1, first=CREDITS)
    started = time.monotonic()
    assert (await superadmin.told())["creditStatus"] == "EXHAUSTED"
    assert time.monotonic() - started < 0.8


@pytest.mark.parametrize(
    ("settings", "seeing"),
    [
        ({"credits_visible_to": "SUPERADMIN"}, []),
        ({"credits_visible_to": "OWNER"}, ["owner"]),
        ({"credits_visible_to": "ADMIN"}, ["owner", "admin"]),
    ],
    indirect=["settings"],
)
async def test_figures_are_for_those_whom_the_setting_names(
    api: Api, watch: Watch, seeing: list[str]
) -> None:
    people = {who: await watch(who, FIGURES, id="1") for who in ("texter", "admin", "owner")}
    for who, subscription in people.items():
        payload = (await subscription.next())["payload"]
        sees = payload["data"]["teamCredits"]["remainingCredits"] == CREDITS
        assert sees == (who in seeing)
        assert ("errors" not in payload) == sees
    await send(api, 1)
    for who in seeing:
        assert (await people[who].told())["remainingCredits"] == CREDITS - 1
    assert all([await people[who].is_silent(0.5) for who in people.keys() - set(seeing)])


async def test_many_sends_and_an_addition_are_told_as_one(api: Api, watch: Watch) -> None:
    await add(api, 39)
    texter, superadmin = await watch("texter", id="1"), await watch("superadmin", FIGURES, id="1")
    await texter.told()
    await superadmin.told()
    sends = (api.send("texter", contact_id % 40 + 1) for contact_id in range(64))
    answers = await asyncio.gather(*sends, add(api, 100))
    assert sum(answer is None or not answer.errors for answer in answers) == 65
    events = 0
    while (await superadmin.told())["remainingCredits"] != 100:
        events += 1
    assert events <= 2
    assert await texter.is_silent(0.5)


async def test_each_event_is_read_anew(api: Api, watch: Watch) -> None:
    """What a subscription loads for one event is not what it shows at the next."""
    document = """subscription {
      teamCredits(teamId: "1") { creditPurchases { amount } organization { name } }
    }"""
    superadmin = await watch("superadmin", document)
    assert [p["amount"] for p in (await superadmin.told())["creditPurchases"]] == [CREDITS]
    await add(api, 7)
    told = await superadmin.told()
    assert [purchase["amount"] for purchase in told["creditPurchases"]] == [7, CREDITS]


# All teams


async def test_of_all_teams_those_are_told_that_have_changed(api: Api, watch: Watch) -> None:
    superadmin = await watch("superadmin", ALL)
    assert await superadmin.told() == []
    await add(api, 7, team_id=3)
    assert [team["id"] for team in await superadmin.told()] == ["3"]
    await add(api, 7, team_id=1)
    await add(api, 7, team_id=2)
    told: set[str] = set()
    while told < {"1", "2"}:
        told |= {team["id"] for team in await superadmin.told()}
    assert told == {"1", "2"}
    assert await superadmin.is_silent(1.5)


async def test_of_all_teams_a_new_one_is_told(watch: Watch, connection: Connection) -> None:
    superadmin = await watch("superadmin", ALL)
    assert await superadmin.told() == []
    await connection.execute("insert into organization (name) values ('Newcomers')")
    [team] = await superadmin.told()
    assert (team["creditStatus"], team["remainingCredits"]) == ("DISABLED", 0)


async def test_more_teams_than_fit_come_one_after_the_other(
    watch: Watch, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_TEAMS", 5)
    superadmin = await watch("superadmin", ALL)
    assert await superadmin.told() == []
    await connection.execute("update credit_account set balance = balance + 1")
    cursor = await connection.execute("select count(*) from credit_account")
    [[accounts]] = await cursor.fetchall()
    told: list[str] = []
    while len(told) < accounts:
        teams = await superadmin.told()
        assert len(teams) <= 5
        told += [team["id"] for team in teams]
    assert len(set(told)) == len(told) == accounts


# Rights

OF_TEXTER = """user_id = (select id from "user" where email = 'texter@example.org')"""
LEAVE = f"delete from user_organization where {OF_TEXTER}"
SUSPEND_MEMBER = f"update user_organization set role = 'SUSPENDED' where {OF_TEXTER}"
SUSPEND = """update "user" set is_suspended = true where email = 'texter@example.org'"""
SIGN_OUT = f"delete from user_session where {OF_TEXTER}"
EXPIRE = f"update user_session set expire = now() where {OF_TEXTER}"
LOSSES = [
    (LEAVE, "FORBIDDEN"),
    (SUSPEND_MEMBER, "FORBIDDEN"),
    (SUSPEND, "UNAUTHENTICATED"),
    (SIGN_OUT, "UNAUTHENTICATED"),
    (EXPIRE, "UNAUTHENTICATED"),
]


@pytest.mark.parametrize(("loss", "code"), LOSSES)
async def test_who_may_no_longer_watch_is_told_nothing_but_that(
    api: Api,
    watch: Watch,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    loss: str,
    code: str,
) -> None:
    """Even if nobody has looked since: rights are asked before each event."""
    texter, owner = await watch("texter", id="1"), await watch("owner", id="1")
    assert await texter.told() == await owner.told() == AVAILABLE
    never_all(monkeypatch)
    await asyncio.sleep(live.SECONDS_BETWEEN_LOOKS)
    await connection.execute(loss)
    assert (await api("owner", SWITCH, on=False)).ok
    assert await texter.ended() == [code]
    assert await owner.told() == DISABLED
    assert await texter.is_silent(0.3)


@pytest.mark.parametrize(("loss", "code"), LOSSES)
async def test_losing_the_right_is_found_out_though_nothing_happens(
    watch: Watch, connection: Connection, loss: str, code: str
) -> None:
    texter = await watch("texter", id="1")
    assert await texter.told() == AVAILABLE
    await connection.execute(loss)
    started = time.monotonic()
    assert await texter.ended() == [code]
    assert time.monotonic() - started < live.SECONDS_UNTIL_ALL + 1.5


async def test_superadmins_who_are_none_any_more_watch_no_teams(
    api: Api, watch: Watch, connection: Connection
) -> None:
    one, all_teams = await watch("superadmin", id="1"), await watch("superadmin", ALL)
    assert await one.told() == AVAILABLE
    assert await all_teams.told() == []
    await connection.execute('update "user" set is_superadmin = false where is_superadmin')
    assert await one.ended() == await all_teams.ended() == ["FORBIDDEN"]


@pytest.mark.parametrize("settings", [{"credits_visible_to": "OWNER"}], indirect=True)
async def test_another_role_shows_or_hides_the_figures(
    watch: Watch, connection: Connection
) -> None:
    admin, owner = await watch("admin", FIGURES, id="1"), await watch("owner", FIGURES, id="1")
    assert "errors" in (await admin.next())["payload"]
    assert (await owner.told())["remainingCredits"] == CREDITS
    await connection.execute(
        "update user_organization set role = case role when 'OWNER' then 'ADMIN' else 'OWNER' end"
        " where organization_id = 1 and role in ('ADMIN', 'OWNER')"
    )
    assert (await admin.told())["remainingCredits"] == CREDITS
    payload = (await owner.next())["payload"]
    assert payload["data"]["teamCredits"]["remainingCredits"] is None
    assert {error["extensions"]["code"] for error in payload["errors"]} == {"FORBIDDEN"}


async def test_a_revoked_token_watches_no_more(resources: Resources, port: int) -> None:
    async with resources.database.sessions.begin() as session:
        token = await create_token(session, email="texter@example.org", name="a board")
    async with watching(port, "", Authorization=f"Bearer {token}") as socket:
        board = await socket.subscribe(STATUS, id="1")
        assert await board.told() == AVAILABLE
        async with resources.database.sessions.begin() as session:
            await revoke_token(session, token_id=1)
        assert await board.ended() == ["UNAUTHENTICATED"]


async def test_a_team_that_does_not_exist(watch: Watch) -> None:
    assert await (await watch("superadmin", id="987654")).ended() == ["NOT_FOUND"]
    assert await (await watch("texter", id="987654")).ended() == ["FORBIDDEN"]
    assert await (await watch("texter", id="x")).ended() == ["BAD_USER_INPUT"]


# Whatever happens


LISTENERS = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and query ~* '^listen'
"""


async def test_a_lost_listener_listens_again_and_misses_nothing(
    api: Api, watch: Watch, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    texter = await watch("texter", id="1")
    assert await texter.told() == AVAILABLE
    never_all(monkeypatch)
    await asyncio.sleep(1)
    for on, told in ((False, DISABLED), (True, AVAILABLE), (False, DISABLED)):
        cursor = await connection.execute(LISTENERS)
        assert cursor.rowcount == 1
        assert (await api("owner", SWITCH, on=on)).ok
        assert await texter.told() == told


async def test_what_is_no_stroke_silences_nothing(
    api: Api, watch: Watch, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    texter = await watch("texter", id="1")
    assert await texter.told() == AVAILABLE
    never_all(monkeypatch)
    await asyncio.sleep(1)
    await connection.execute("select pg_notify(%s, repeat('9', 5000))", [TEAMS])
    assert (await api("owner", SWITCH, on=False)).ok
    assert await texter.told() == DISABLED


async def test_after_trouble_with_listening_it_listens_again(
    demo_url: str,
    settings: Settings,
    api: Api,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here what was told can't even be read: it isn't ASCII."""
    ascii_only = load_settings(
        spoke_data_dir=settings.spoke_data_dir,
        database_direct_url=f"{demo_url}?client_encoding=SQL_ASCII",
    )
    async with (
        open_resources(ascii_only, demo_url, SECRET) as resources,
        listening(resources) as port,
        watching(port, await api.cookie("texter")) as socket,
    ):
        texter = await socket.subscribe(STATUS, id="1")
        assert await texter.told() == AVAILABLE
        never_all(monkeypatch)
        await asyncio.sleep(1)
        with capture_logs() as logs:
            await connection.execute("select pg_notify(%s, 'é')", [TEAMS])
            await until(lambda: [line["event"] for line in logs] == ["live_trouble"])
        assert (await api("owner", SWITCH, on=False)).ok
        assert await texter.told() == DISABLED


async def test_where_nothing_can_be_heard_it_is_asked_for(
    demo_url: str, settings: Settings, api: Api
) -> None:
    nowhere = load_settings(
        spoke_data_dir=settings.spoke_data_dir,
        database_direct_url="postgresql://nobody@127.0.0.1:1/nothing",
    )
    async with (
        open_resources(nowhere, demo_url, SECRET) as deaf,
        listening(deaf) as port,
        watching(port, await api.cookie("texter")) as socket,
    ):
        texter = await socket.subscribe(STATUS, id="1")
        assert await texter.told() == AVAILABLE
        assert (await api("owner", SWITCH, on=False)).ok
        assert await texter.told(live.SECONDS_UNTIL_ALL + 1.5) == DISABLED


async def test_a_database_that_went_away_is_waited_for(
    demo_url: str, settings: Settings, api: Api
) -> None:
    async with (
        cable_to(demo_url) as cable,
        open_resources(settings, cable.url, SECRET) as resources,
        listening(resources) as port,
        watching(port, await api.cookie("texter")) as socket,
    ):
        first = await socket.subscribe(STATUS, id="1")
        assert await first.told() == AVAILABLE
        cable.cut()
        second = await socket.subscribe(STATUS, id="1")
        assert (await api("owner", SWITCH, on=False)).ok
        assert await second.is_silent(1)
        cable.mend()
        assert await first.told(30) == await second.told(30) == DISABLED


async def test_nothing_is_left_of_clients_that_vanish(
    resources: Resources, connect: Callable[[str], Awaitable[Socket]], connection: Connection
) -> None:
    await asyncio.sleep(0.1)
    before = len(asyncio.all_tasks())
    for round in range(2):
        sockets = [await connect("texter") for _ in range(10)]
        for watcher in [await s.subscribe(STATUS, id="1") for s in sockets for _ in range(5)]:
            assert await watcher.told() == AVAILABLE
        assert resources.connected.total() == 10
        for number, socket in enumerate(sockets):
            await (socket.vanish() if number % 2 else socket.close())
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert not resources.connected
        cursor = await connection.execute(LISTENERS)
        assert cursor.rowcount == 0, round


async def test_clients_that_vanish_while_they_are_told_are_no_trouble(
    api: Api, resources: Resources, connect: Callable[[str], Awaitable[Socket]]
) -> None:
    with capture_logs() as logs:
        for on in (False, True):
            socket = await connect("texter")
            for watcher in [await socket.subscribe(STATUS, id="1") for _ in range(50)]:
                await watcher.told()
            switching = asyncio.create_task(api("owner", SWITCH, on=on))
            await watcher.next()
            await socket.vanish()
            await until(lambda: not resources.connected)
            assert (await switching).ok
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []


@pytest.mark.long
async def test_ten_times_the_watchers_take_no_more_statements(
    api: Api,
    connect: Callable[[str], Awaitable[Socket]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sockets = [await connect(who) for who in ("texter", "admin", "owner", "superadmin")]
    watchers: list[Subscription] = []
    counts = []
    last_for_all = live.SECONDS_UNTIL_ALL + 0.5
    never_all(monkeypatch)
    for many in (4, 4, 40):  # the first one opens connections
        new = [await sockets[n % 4].subscribe(STATUS, id="1") for n in range(len(watchers), many)]
        for watcher in new:
            assert await watcher.told() == AVAILABLE
        await asyncio.sleep(0.5 if watchers else last_for_all)
        watchers += new
        with statements(monkeypatch) as sent:
            assert (await api("owner", SWITCH, on=False)).ok
            for watcher in watchers:
                assert await watcher.told() == DISABLED
        counts.append(len(sent))
        assert (await api("owner", SWITCH, on=True)).ok
        for watcher in watchers:
            assert await watcher.told() == AVAILABLE
    assert counts[1] == counts[2]


async def test_a_client_that_reads_nothing_delays_nobody_and_is_given_up(
    api: Api,
    resources: Resources,
    connect: Callable[[str], Awaitable[Socket]],
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "SECONDS_TO_SEND", 1)
    await connection.execute("update organization set name = repeat('x', 300000) where id = 1")
    names = " ".join(f"n{number}: name" for number in range(15))
    document = f'subscription {{ teamCredits(teamId: "1") {{ {names} }} }}'
    deaf = await connect("texter")
    for name in ("1", "2"):
        await deaf.send({"type": "subscribe", "id": name, "payload": {"query": document}})
    owner = await (await connect("owner")).subscribe(STATUS, id="1")
    assert await owner.told() == AVAILABLE
    on = True
    async with asyncio.timeout(30):
        while resources.connected.total() == 2:
            on = not on
            assert (await api("owner", SWITCH, on=on)).ok
            assert await owner.told(1.5) == (AVAILABLE if on else DISABLED)
    await deaf.vanish()


# From one process to another


def serving(url: str) -> AbstractContextManager[Running]:
    return served(DATABASE_URL=url, SESSION_SECRET=SECRET)


@pytest.mark.long
async def test_another_process_tells_within_a_second(demo_url: str, api: Api) -> None:
    with serving(demo_url) as sending, serving(demo_url) as telling:
        async with (
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{sending.port}") as client,
            watching(telling.port, await api.cookie("texter")) as socket,
        ):
            texter = await socket.subscribe(STATUS, id="1")
            assert await texter.told() == AVAILABLE
            there = Api(client, api.sign_in)
            await send(there, CREDITS)
            assert await texter.told(1) == EXHAUSTED
            await add(there, 5)
            assert await texter.told(1) == AVAILABLE
            telling.process.terminate()
            assert await socket.closed() == 1012
            assert await asyncio.to_thread(ended, telling.process, 4) == 0
