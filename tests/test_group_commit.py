"""Sends that arrive together share a transaction, and nobody's trouble becomes another's."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from models.database import Database
from services.errors import ServiceUnavailable
from services.send_statement import Outcome, Send, Written
from services.send_writer import SendWriter
from services.settings import Settings
from tests.world import Team, books, holding, make_send, make_team, rows, until_waiting, value

LOCK_ACCOUNT = "select from credit_account where team_id = %(team_id)s for update"
TRANSACTIONS = "select count(distinct xmin::text) from message"


@pytest.fixture
def writer(database: Database, settings: Settings) -> SendWriter:
    return SendWriter(database.pool, settings)


def write(writer: SendWriter, send: Send) -> asyncio.Task[Written]:
    return asyncio.create_task(writer.write(send, campaign_id=1))


async def write_all(writer: SendWriter, sends: Sequence[Send]) -> list[Written | BaseException]:
    tasks = [write(writer, send) for send in sends]
    return await asyncio.gather(*tasks, return_exceptions=True)


def outcomes(written: Sequence[Written | BaseException]) -> list[Outcome | type[BaseException]]:
    return [w.outcome if isinstance(w, Written) else type(w) for w in written]


async def test_sends_that_arrive_together_share_a_transaction(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, contacts=100, credits=100)
    written = await write_all(writer, [make_send(team, n) for n in range(100)])
    assert outcomes(written) == [Outcome.ACCEPTED] * 100
    assert await value(database, TRANSACTIONS) <= 2
    assert (await books(database, team.id)).balance == 0


async def test_a_send_that_comes_alone_waits_for_nobody(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, contacts=2, credits=2)
    for position in range(2):
        await writer.write(make_send(team, position), campaign_id=1)
    assert await value(database, TRANSACTIONS) == 2


async def test_a_batch_is_bounded(database: Database, writer: SendWriter) -> None:
    team = await make_team(database, contacts=600, credits=600)
    written = await write_all(writer, [make_send(team, n) for n in range(600)])
    assert outcomes(written) == [Outcome.ACCEPTED] * 600
    sizes = await rows(database, "select count(*) as size from message group by xmin::text")
    assert max(row.size for row in sizes) <= 256


async def test_two_texts_to_one_contact_go_in_their_order(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, credits=5)
    written = await write_all(writer, [make_send(team, text=f"{n}") for n in range(5)])
    assert outcomes(written) == [Outcome.ACCEPTED] * 5
    texts = await rows(database, "select text from message order by id")
    assert [row.text for row in texts] == ["0", "1", "2", "3", "4"]
    assert await value(database, TRANSACTIONS) == 5


async def test_what_a_bigger_one_hid_goes_into_the_next_batch(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, contacts=3, credits=2)
    sends = [make_send(team, n, cost=cost) for n, cost in enumerate([3, 1, 1])]
    assert outcomes(await write_all(writer, sends)) == [
        Outcome.INSUFFICIENT,
        Outcome.ACCEPTED,
        Outcome.ACCEPTED,
    ]
    assert (await books(database, team.id)).balance == 0


async def test_a_bad_row_fails_alone(database: Database, writer: SendWriter) -> None:
    team = await make_team(database, contacts=4, credits=4)
    sends = [make_send(team, n) for n in range(4)]
    sends[2] = make_send(team, 2, user_id=999_999)
    assert outcomes(await write_all(writer, sends)) == [
        Outcome.ACCEPTED,
        Outcome.ACCEPTED,
        psycopg.errors.ForeignKeyViolation,
        Outcome.ACCEPTED,
    ]
    assert (await books(database, team.id)).balance == 1


async def test_a_bad_row_costs_its_neighbours_few_transactions(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, contacts=64, credits=64)
    sends = [make_send(team, n) for n in range(64)]
    sends[37] = make_send(team, 37, user_id=999_999)
    found = outcomes(await write_all(writer, sends))
    assert found.count(Outcome.ACCEPTED) == 63
    assert await value(database, TRANSACTIONS) <= 8
    assert (await books(database, team.id)).balance == 1


async def test_of_one_key_in_a_batch_one_is_written(database: Database, writer: SendWriter) -> None:
    team = await make_team(database, contacts=3, credits=3)
    sends = [make_send(team, n, idempotency_key="k", fingerprint="00") for n in range(3)]
    found = outcomes(await write_all(writer, sends))
    assert sorted(found, key=str) == [Outcome.ACCEPTED, Outcome.LOOK_AGAIN, Outcome.LOOK_AGAIN]
    assert await value(database, "select count(*) from message") == 1


async def test_a_team_whose_account_is_held_delays_only_itself(
    database: Database, writer: SendWriter
) -> None:
    held = await make_team(database, contacts=20, credits=20)
    other = await make_team(database, contacts=20, credits=20)
    async with holding(database, LOCK_ACCOUNT, team_id=held.id):
        waiting = [write(writer, make_send(held, n)) for n in range(10)]
        together = [write(writer, make_send(other, n)) for n in range(10)]
        async with asyncio.timeout(2):
            assert outcomes(await asyncio.gather(*together)) == [Outcome.ACCEPTED] * 10
        # From now on the held team has its own lane: the others don't notice it any more.
        waiting += [write(writer, make_send(held, n)) for n in range(10, 20)]
        async with asyncio.timeout(0.15):
            later = await write_all(writer, [make_send(other, n) for n in range(10, 20)])
        assert outcomes(later) == [Outcome.ACCEPTED] * 10
        assert not any(task.done() for task in waiting)
    assert outcomes(await asyncio.gather(*waiting)) == [Outcome.ACCEPTED] * 20
    for team in (held, other):
        assert (await books(database, team.id)).balance == 0


async def test_a_caller_that_goes_away_does_not_interrupt_its_send(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, contacts=2, credits=2)
    async with holding(database, LOCK_ACCOUNT, team_id=team.id):
        gone, waiting = write(writer, make_send(team, 0)), write(writer, make_send(team, 1))
        await until_waiting(database, 1)
        gone.cancel()
    assert (await waiting).outcome is Outcome.ACCEPTED
    assert gone.cancelled()
    assert (await books(database, team.id)).texts == 2


async def test_without_a_connection_nothing_was_written(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, contacts=2, credits=2)
    await database.pool.close()
    assigned, unassigned = make_send(team, 0), make_send(team, 1, assignment_id=None)
    assert outcomes(await write_all(writer, [assigned, unassigned])) == [ServiceUnavailable] * 2


async def test_draining_waits_for_what_is_being_written(
    database: Database, writer: SendWriter
) -> None:
    team = await make_team(database, contacts=300, credits=300)
    tasks = [write(writer, make_send(team, n)) for n in range(300)]
    await asyncio.sleep(0)
    await writer.drain()
    assert await value(database, "select count(*) from message") == 300
    assert outcomes(await asyncio.gather(*tasks)) == [Outcome.ACCEPTED] * 300


async def test_several_teams_share_a_transaction_and_stay_apart(
    database: Database, writer: SendWriter
) -> None:
    teams: list[Team] = [await make_team(database, contacts=5, credits=n) for n in range(4)]
    sends = [make_send(team, position) for position in range(5) for team in teams]
    found = outcomes(await write_all(writer, sends))
    for number, team in enumerate(teams):
        assert found[number::4].count(Outcome.ACCEPTED) == number
        assert (await books(database, team.id)).balance == 0
    assert await value(database, TRANSACTIONS) <= 3
