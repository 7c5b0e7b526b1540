"""After a commit other processes are told, and nobody waits for it or fails with it."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from models.database import Database, open_database
from services.access import Role
from services.bell import TEAMS, TEXTS, Bell, teams_of
from services.credits import add_credits, remove_credit_purchase, set_credits_enabled
from services.send_statement import Outcome
from services.send_writer import SendWriter
from services.settings import Settings
from tests.cable import cable_to
from tests.world import SETTINGS, make_member, make_send, make_team, switch, value


class Ear:
    """Hears both channels on a connection of its own."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    async def heard(
        self, count: int | None = None, *, seconds: float = 0.3
    ) -> list[psycopg.Notify]:
        """So many strokes, or all that come soon."""
        strokes = self._connection.notifies(timeout=5 if count else 0.3, stop_after=count)
        return [stroke async for stroke in strokes]

    async def teams(self) -> list[set[int]]:
        return [
            teams_of(stroke.payload) for stroke in await self.heard() if stroke.channel == TEAMS
        ]


@pytest.fixture
async def ear(database_url: str) -> AsyncIterator[Ear]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for channel in (TEXTS, TEAMS):
            await connection.execute(f"listen {channel}")
        yield Ear(connection)


@pytest.fixture
async def bell(database: Database) -> AsyncIterator[Bell]:
    bell = Bell(database.pool)
    yield bell
    await bell.drain()


async def test_a_text_wakes_who_sends_it_out_and_who_watches_its_team(
    database: Database, settings: Settings, bell: Bell, ear: Ear
) -> None:
    team = await make_team(database, credits=5)
    await ear.heard()
    writer = SendWriter(database.pool, settings, bell)
    assert (await writer.write(make_send(team), campaign_id=1)).outcome is Outcome.ACCEPTED
    strokes = await ear.heard()
    assert [(stroke.channel, stroke.payload) for stroke in strokes] == [
        (TEXTS, ""),
        (TEAMS, f"{team.id}"),
    ]


async def test_what_is_heard_is_committed(
    database: Database, settings: Settings, bell: Bell, ear: Ear
) -> None:
    team = await make_team(database, contacts=20, credits=20)
    await ear.heard()
    writer = SendWriter(database.pool, settings, bell)
    for position in range(20):
        await writer.write(make_send(team, position), campaign_id=1)
        await ear.heard(1)
        assert await value(database, "select count(*) from message") == position + 1


async def test_a_refusal_that_opens_an_exhaustion_is_told_but_sends_nothing_out(
    database: Database, settings: Settings, bell: Bell, ear: Ear
) -> None:
    team = await make_team(database, credits=1)
    await ear.heard()
    writer = SendWriter(database.pool, settings, bell)
    written = await writer.write(make_send(team, cost=2), campaign_id=1)
    assert written.outcome is Outcome.INSUFFICIENT
    assert [(s.channel, s.payload) for s in await ear.heard()] == [(TEAMS, f"{team.id}")]


async def test_a_crowd_is_told_in_a_few_strokes(
    database: Database, settings: Settings, bell: Bell, ear: Ear
) -> None:
    teams = [await make_team(database, contacts=50, credits=50) for _ in range(4)]
    await ear.heard()
    writer = SendWriter(database.pool, settings, bell)
    sends = [make_send(team, position) for position in range(50) for team in teams]
    await asyncio.gather(*(writer.write(send, campaign_id=1) for send in sends))
    told = await ear.teams()
    assert set().union(*told) == {team.id for team in teams}
    assert len(told) < 10


async def test_a_stroke_of_any_size_arrives(bell: Bell, ear: Ear) -> None:
    team_ids = set(range(2**31 - 3000, 2**31))
    bell.ring(team_ids)
    assert set().union(*await ear.teams()) == team_ids


def test_what_can_be_no_id_is_left_out() -> None:
    payload = f"1,,-2,x,{'9' * 5000},2147483647, 3,4.0"
    assert teams_of(payload) == {1, 2**31 - 1}


async def test_what_is_rung_between_two_strokes_is_told_by_the_next(bell: Bell, ear: Ear) -> None:
    bell.ring([1])
    await ear.heard(1)
    for team_id in range(2, 100):
        bell.ring([team_id])
    assert await ear.teams() == [set(range(2, 100))]


async def test_nothing_is_told_of_nothing(bell: Bell, ear: Ear) -> None:
    bell.ring([])
    assert await ear.heard() == []


async def test_a_bell_that_is_cut_off_keeps_nobody_waiting(database: Database) -> None:
    bell = Bell(database.pool)
    others = asyncio.all_tasks()
    bell.ring([1])
    [sounding] = asyncio.all_tasks() - others
    sounding.cancel()
    async with asyncio.timeout(10):
        await bell.drain()


async def test_a_bell_that_was_cut_off_sounds_again(database: Database, ear: Ear) -> None:
    bell = Bell(database.pool)
    others = asyncio.all_tasks()
    bell.ring([1])
    [sounding] = asyncio.all_tasks() - others
    sounding.cancel()
    await asyncio.wait([sounding])
    bell.ring([2])
    assert [teams_of(stroke.payload) for stroke in await ear.heard(1)] == [{1, 2}]


@pytest.mark.long
async def test_a_mute_bell_hurts_no_send(
    database: Database, database_url: str, settings: Settings
) -> None:
    team = await make_team(database, contacts=5, credits=5)
    async with open_database(database_url) as other:
        bell = Bell(other.pool)
    writer = SendWriter(database.pool, settings, bell)  # with a pool that is closed
    for position in range(5):
        written = await writer.write(make_send(team, position), campaign_id=1)
        assert written.outcome is Outcome.ACCEPTED
        await bell.drain()


@pytest.mark.long
async def test_a_bell_that_was_mute_sounds_again(database_url: str, ear: Ear) -> None:
    async with cable_to(database_url) as cable, open_database(cable.url) as database:
        bell = Bell(database.pool)
        bell.ring([1])
        await ear.heard(1)
        cable.cut()
        bell.ring([2])
        await bell.drain()
        cable.mend()
        async with asyncio.timeout(20):
            while {3} not in await ear.teams():
                bell.ring([3])


async def test_administration_is_told_at_the_commit(
    database: Database, settings: Settings, ear: Ear
) -> None:
    team = await make_team(database, credits=0)
    owner = await make_member(database, team.id, Role.OWNER)
    await ear.heard()
    async with database.sessions() as session:
        purchase = await add_credits(session, settings, team.superadmin, team_id=team.id, amount=5)
        assert await ear.teams() == []
        await session.commit()
    assert await ear.teams() == [{team.id}]
    async with database.sessions.begin() as session:
        await remove_credit_purchase(session, team.superadmin, purchase_id=purchase.id)
    assert await ear.teams() == [{team.id}]
    async with database.sessions.begin() as session:
        await set_credits_enabled(session, owner, team_id=team.id, enabled=False)
    assert await ear.teams() == [{team.id}]


async def test_what_is_rolled_back_is_not_told(database: Database, ear: Ear) -> None:
    team = await make_team(database, credits=0)
    await ear.heard()
    async with database.sessions() as session:
        await add_credits(session, SETTINGS, team.superadmin, team_id=team.id, amount=5)
        await session.rollback()
    assert await ear.teams() == []
    await switch(database, team, enabled=True)  # as it is already
    assert await ear.teams() == []
