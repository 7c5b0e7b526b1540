"""Servers under load stay exact, and whatever happens to them, everybody is told the truth.

Real processes, real HTTP, many clients at once. What was accepted is there exactly once, with its
debit; what was refused is not; only of what got no answer, or OUTCOME_UNKNOWN, nobody can tell.
"""

import asyncio
import dataclasses
import json
import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    nullcontext,
)
from pathlib import Path

import pytest

from models.database import Database, open_database
from models.migrations import upgrade
from server.embedded_postgres import embedded_postgres
from services.send_writer import OWN_LOCK_SECONDS
from tests.api import ADD
from tests.conftest import SECRET
from tests.servers import Running, ended, ends, free_port, postgres_pid, run, served
from tests.texters import ACCEPTED, LOST, Text, Texter, cookie_of, proven, text_of
from tests.world import Team, holding, make_team, rows, until_waiting, value

pytestmark = pytest.mark.long

log = logging.getLogger(__name__)

INSUFFICIENT = "INSUFFICIENT_CREDITS"


def serving(url: str, port: int | None = None) -> AbstractContextManager[Running]:
    return served(port=port, DATABASE_URL=url, SESSION_SECRET=SECRET)


def assert_verified(url: str) -> None:
    """As an operator would look."""
    found = run("credits", "verify", DATABASE_URL=url, SESSION_SECRET=SECRET)
    assert found.returncode == 0, found.stdout


@pytest.fixture
def server(database_url: str) -> Iterator[Running]:
    with serving(database_url) as running:
        yield running


@pytest.fixture
def servers(database_url: str, server: Running) -> Iterator[list[Running]]:
    """Three processes on one database."""
    with serving(database_url) as second, serving(database_url) as third:
        yield [server, second, third]


@asynccontextmanager
async def texters(
    database: Database, team: Team, ports: list[int], count: int
) -> AsyncIterator[list[Texter]]:
    """As many clients, spread over the servers. They hang up at the end."""
    cookie = await cookie_of(database, team.texter.user_id)
    crowd = [Texter(ports[number % len(ports)], cookie) for number in range(count)]
    try:
        yield crowd
    finally:
        for texter in crowd:
            texter.hang_up()


def sending(clients: list[Texter], texts: list[Text]) -> list[asyncio.Task[str]]:
    """One text of each, under way at the same time."""
    return [
        asyncio.create_task(client.send(text)) for client, text in zip(clients, texts, strict=True)
    ]


# More than a team has

CLIENTS, TEXTS = 600, 20
CREDITS = 10_000
POISON = "poison"


def bad_text(team: Team, number: int) -> tuple[Text, str]:
    """A text that can't be sent, and what its sender must be told. The last two reach the
    database, and only there break the statement that they share with others."""
    good = text_of(team, number, f"bad {number}")
    another, unknown = team.contact_ids[CLIENTS], 2**31 - 1
    kinds = [
        (dataclasses.replace(good, content="x" * 1601), "MESSAGE_TOO_LONG"),
        (dataclasses.replace(good, content=f"NUL\0{number}"), "BAD_USER_INPUT"),
        (dataclasses.replace(good, content=f"half a pair \ud800{number}"), "BAD_REQUEST"),
        (dataclasses.replace(good, contact_id=unknown), "NOT_FOUND"),
        (dataclasses.replace(good, contact_id=another), "ASSIGNMENT_CHANGED"),
        (dataclasses.replace(good, content=f"{POISON} {number}"), "INTERNAL_SERVER_ERROR"),
        (dataclasses.replace(good, key=f"key {number % 10}"), "BAD_USER_INPUT"),
    ]
    return kinds[number % len(kinds)]


async def test_more_than_a_team_has_is_refused_exactly_and_bad_rows_fail_alone(
    database: Database, database_url: str, servers: list[Running]
) -> None:
    """Of those with one key for many contacts the database accepts one each."""
    team = await make_team(database, contacts=CLIENTS + 1, credits=CREDITS)
    await rows(
        database,
        "update campaign_contact set assignment_id = null where id = %(id)s",
        id=team.contact_ids[CLIENTS],
    )
    await rows(database, f"alter table message add check (text not like '{POISON}%')")
    bad = [bad_text(team, number) for number in range(CLIENTS)]
    good = [
        [text_of(team, number, f"{number}/{n}", cost=(number + n) % 3 + 1) for n in range(TEXTS)]
        for number in range(CLIENTS)
    ]
    ports = [server.port for server in servers]

    async def send_all(texter: Texter, number: int) -> None:
        for n, text in enumerate(good[number]):
            await texter.send(text)
            if n == number % 3:
                await texter.send(bad[number][0])

    async with texters(database, team, ports, CLIENTS) as crowd:
        await asyncio.gather(*(send_all(texter, n) for n, texter in enumerate(crowd)))
    every = [text for texts in good for text in texts]
    told = Counter(text.told[0] for text in every)
    assert set(told) == {ACCEPTED, INSUFFICIENT}, told
    won = [text for text, _ in bad if text.is_accepted]
    assert {text.key for text in won} == {f"key {n}" for n in range(10)}
    assert len(won) == 10
    assert [(t.content, t.told) for t, code in bad if t not in won and t.told != [code]] == []
    figures = await proven(database, team, [*every, *(text for text, _ in bad)])
    accepted = [text for text in [*every, *won] if text.is_accepted]
    assert figures.spent == sum(text.cost for text in accepted)
    assert figures.balance == 0, "there were texts for the last credit"
    assert await value(database, "select min(balance_after) from credit_entry") == 0
    assert_verified(database_url)


# Servers and databases that stop


LOCK_ACCOUNT = "select from credit_account where team_id = %(team)s for update"
LOCK_CONTACT = "select from campaign_contact where id = %(contact)s for update"
SOON = 0.05
SECONDS_BEFORE_REPEATING = 0.2


def held_account(database: Database, team: Team) -> AbstractAsyncContextManager[None]:
    return holding(database, LOCK_ACCOUNT, **team.names)


class Crowd:
    """Clients that text one contact each, one text after another, as long as they are wanted."""

    def __init__(self, team: Team, texters: list[Texter], *, gives_up_when_lost: bool = False):
        self._team = team
        self._gives_up_when_lost = gives_up_when_lost
        self._is_wanted = True
        self.texts: list[Text] = []
        self._tasks = [
            asyncio.create_task(self._text(texter, number)) for number, texter in enumerate(texters)
        ]

    async def end(self) -> None:
        """When each has had its last answer."""
        self._is_wanted = False
        await self.until_all_gave_up()

    async def until_all_gave_up(self) -> None:
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)

    @property
    def accepted(self) -> int:
        return sum(text.is_accepted for text in self.texts)

    @property
    def told(self) -> Counter[str]:
        return Counter(told for text in self.texts for told in text.told)

    async def until_accepted(self, more: int, *, seconds: float = 20) -> None:
        wanted = self.accepted + more
        give_up = time.monotonic() + seconds
        while self.accepted < wanted:
            assert time.monotonic() < give_up, self.told
            await asyncio.sleep(SOON)

    async def _text(self, texter: Texter, number: int) -> None:
        """Every other client gives each text a key, and repeats it until it is accepted."""
        n = 0
        while self._is_wanted:
            name = f"{number}/{n}"
            key = name if number % 2 else None
            text = text_of(self._team, number, name, cost=n % 3 + 1, key=key)
            self.texts.append(text)
            while (told := await texter.send(text)) != ACCEPTED:
                if told == LOST and self._gives_up_when_lost:
                    return
                await asyncio.sleep(SECONDS_BEFORE_REPEATING)
                if not key:
                    break
            n += 1
            await asyncio.sleep(random.uniform(0, SOON))  # or they would march in step


async def test_kill_9_loses_no_accepted_text_and_doubles_no_repeated_one(
    database: Database, database_url: str
) -> None:
    """Twice while texts wait for the account. Once it is let go at once, so that PostgreSQL still
    writes what it has got, once so late that it gives up waiting."""
    seconds_held_on = (0, 0, 0, OWN_LOCK_SECONDS + 0.2, 0)
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    log.warning("the moments of death are those of SEED=%s", seed)
    chance = random.Random(seed)
    port = free_port()
    team = await make_team(database, contacts=32, credits=1_000_000)
    async with texters(database, team, [port], 32) as clients:
        with ExitStack() as stack:
            crowd = Crowd(team, clients)
            for death in range(5):
                running = await asyncio.to_thread(stack.enter_context, serving(database_url, port))
                await crowd.until_accepted(1)
                async with held_account(database, team) if death % 2 else nullcontext():
                    await until_waiting(database, death % 2)
                    await asyncio.sleep(chance.uniform(0, 0.5))
                    running.process.kill()
                    running.process.join()
                    await asyncio.sleep(seconds_held_on[death])
            await asyncio.to_thread(stack.enter_context, serving(database_url, port))
            await crowd.until_accepted(32)
            await crowd.end()
    assert set(crowd.told) == {ACCEPTED, LOST}
    keyed = [text for text in crowd.texts if text.key]
    assert all(text.told[-1] == ACCEPTED for text in keyed)
    assert any(LOST in text.told for text in keyed), "there was something to repeat"
    await proven(database, team, crowd.texts)
    assert_verified(database_url)


async def test_sigterm_answers_what_was_read_and_reads_no_more(
    database: Database, database_url: str, server: Running
) -> None:
    """A client whose connection closes instead of an answer knows: its text was not sent."""
    team = await make_team(database, contacts=100, credits=1_000_000)
    async with texters(database, team, [server.port], 100) as clients:
        crowd = Crowd(team, clients, gives_up_when_lost=True)
        await crowd.until_accepted(500)
        server.process.terminate()
        began = time.monotonic()
        await crowd.until_all_gave_up()
    assert ended(server.process, 10) is not None
    assert time.monotonic() - began < 10
    assert set(crowd.told) == {ACCEPTED, LOST}
    figures = await proven(database, team, crowd.texts)
    assert figures.texts == crowd.accepted


async def test_sigterm_waits_for_texts_that_wait(database: Database, server: Running) -> None:
    team = await make_team(database, contacts=20, credits=1_000)
    texts = [text_of(team, n, f"{n}") for n in range(20)]
    async with texters(database, team, [server.port], 21) as (late, *clients):
        async with held_account(database, team):
            sent = sending(clients, texts)
            await until_waiting(database, 1)
            await asyncio.sleep(0.3)
            server.process.terminate()
            await asyncio.sleep(0.5)
            assert await late.send(text_of(team, 0, "late")) == LOST
        assert await asyncio.gather(*sent) == [ACCEPTED] * 20
    assert ended(server.process, 10) is not None
    await proven(database, team, texts)


async def test_sigterm_does_not_wait_for_what_hangs(database: Database, server: Running) -> None:
    """Somebody holds the account for longer than a server may take to end. Texts are given up in
    time; of an addition nobody knows."""
    team = await make_team(database, contacts=5, credits=1_000)
    texts = [text_of(team, n, f"{n}") for n in range(5)]
    adding = {"query": ADD, "variables": {"t": str(team.id), "n": 500}}
    superadmin = Texter(server.port, await cookie_of(database, team.superadmin.user_id))
    async with (
        texters(database, team, [server.port], 5) as clients,
        held_account(database, team),
    ):
        added = asyncio.create_task(superadmin.post(json.dumps(adding).encode()))
        sent = sending(clients, texts)
        await until_waiting(database, 2)
        server.process.terminate()
        async with asyncio.timeout(10):
            assert await asyncio.gather(*sent) == ["CONFLICT"] * 5
            [error] = (await added)["errors"]
            assert error["extensions"] == {"code": "OUTCOME_UNKNOWN"}
            await asyncio.to_thread(server.process.join)
    superadmin.hang_up()
    assert (await proven(database, team, texts)).balance == 1_000


async def test_restarted_postgres_is_found_again_and_nobody_is_told_what_is_not_true(
    folder: Path,
) -> None:
    """SIGINT is what `pg_ctl stop -m fast` sends, and SIGKILL leaves PostgreSQL to recover."""
    with embedded_postgres(folder) as url:
        upgrade(url)
        async with open_database(url) as database:
            team = await make_team(database, contacts=32, credits=1_000_000)
            with serving(url) as server:
                async with texters(database, team, [server.port], 32) as clients:
                    crowd = Crowd(team, clients)
                    for end in (signal.SIGINT, signal.SIGKILL):
                        await crowd.until_accepted(200)
                        postgres = postgres_pid(folder)
                        os.kill(postgres, end)
                        assert await asyncio.to_thread(ends, postgres)
                    await crowd.until_accepted(200)
                    await crowd.end()
        # Nobody need notice: texts that wait for a connection get one when it is back.
        assert set(crowd.told) <= {ACCEPTED, "OUTCOME_UNKNOWN", "CONFLICT", "SERVICE_UNAVAILABLE"}
        assert all(text.told[-1] == ACCEPTED for text in crowd.texts if text.key)
        async with open_database(url) as database:
            await proven(database, team, crowd.texts)
        assert_verified(url)


# Others at work


async def test_clients_that_hang_up_change_nothing_for_their_neighbours(
    database: Database, server: Running
) -> None:
    """What had been read of theirs is sent all the same; half a request is none."""
    team = await make_team(database, contacts=12, credits=1_000)
    texts = [text_of(team, n, f"{n}") for n in range(12)]
    async with texters(database, team, [server.port], 12) as clients:
        async with held_account(database, team):
            for client, text in zip(clients[:3], texts, strict=False):
                await client.begin(text.body)
            await clients[3].begin(texts[3].body, only_half=True)
            sent = sending(clients[4:], texts[4:])
            await until_waiting(database, 1)
            await asyncio.sleep(0.3)
            for client in clients[:4]:
                client.hang_up()
            await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            assert await asyncio.gather(*sent) == [ACCEPTED] * 8
            assert await clients[0].send(again := text_of(team, 0, "again")) == ACCEPTED
    for text in texts[:3]:
        text.told.append(LOST)
    assert (await proven(database, team, [*texts, again])).texts == 12


async def test_changes_between_the_checks_and_the_write_refuse_their_own_texts_alone(
    database: Database, server: Running
) -> None:
    team = await make_team(database, contacts=12, credits=1_000)
    texts = [text_of(team, n, f"{n}") for n in range(12)]
    changes = {
        "assignment_id = null": "ASSIGNMENT_CHANGED",
        "is_opted_out = true": "CONTACT_OPTED_OUT",
        "archived = true": "NOT_FOUND",
    }
    async with texters(database, team, [server.port], 12) as clients:
        async with database.pool.connection() as other, other.transaction():
            await other.execute(LOCK_ACCOUNT, team.names)
            sent = sending(clients, texts)
            await until_waiting(database, 1)
            await asyncio.sleep(0.3)
            for contact_id, change in zip(team.contact_ids[1::4], changes, strict=True):
                await other.execute(
                    f"update campaign_contact set {change} where id = %s", [contact_id]
                )
        told = await asyncio.gather(*sent)
    assert told[1::4] == list(changes.values())
    assert told.count(ACCEPTED) == 9
    assert (await proven(database, team, texts)).texts == 9


async def test_locked_contact_delays_only_its_own_texts(
    database: Database, server: Running
) -> None:
    """Somebody holds it for five seconds."""
    team = await make_team(database, contacts=9, credits=1_000_000)
    own = text_of(team, 0, "to the locked one", key="k")
    others: list[Text] = []
    slowest = 0.0

    async def text_on(client: Texter, number: int, until: float) -> None:
        nonlocal slowest
        while (began := time.monotonic()) < until:
            others.append(text := text_of(team, number, f"{number}/{len(others)}"))
            assert await client.send(text) == ACCEPTED
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(SOON)

    async with texters(database, team, [server.port], 9) as (first, *clients):
        async with holding(database, LOCK_CONTACT, **team.names):
            until = time.monotonic() + 5
            neighbours = [text_on(client, n, until) for n, client in enumerate(clients, start=1)]
            assert (await asyncio.gather(first.send(own), *neighbours))[0] == "CONFLICT"
        assert await first.send(own) == ACCEPTED
    assert slowest < 1
    assert (await proven(database, team, [own, *others])).texts == len(others) + 1
