"""When the connection to the database breaks, nobody is told that nothing was done unless it is so.

At the worst moments: while it commits, after it has committed, and before the answer is complete.
"""

from collections.abc import AsyncIterator

import psycopg
import pytest

from server.demo import PEOPLE
from server.resources import Resources
from tests.api import Api
from tests.cable import Cable, cable_to
from tests.conftest import MakeDatabase

ADD = """
mutation($k: String) {
  addCredits(teamId: 1, amount: 500, idempotencyKey: $k) { id team { remainingCredits } }
}
"""
DIE_WHILE_COMMITTING = """
create function die() returns trigger language plpgsql as
  $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
create constraint trigger die after insert on {table} deferrable initially deferred
  for each row execute function die()
"""
LIVE_ON = "drop function die cascade"
FIGURES = """
select (select count(*) from credit_purchase)::int, (select count(*) from message)::int,
  (select balance from credit_account where team_id = 1)::int
"""

Figures = tuple[int, int, int]


@pytest.fixture
async def cable(make_database: MakeDatabase, demo_template: str) -> AsyncIterator[Cable]:
    with make_database(demo_template) as url:
        async with cable_to(url) as cable:
            yield cable


@pytest.fixture
def demo_url(cable: Cable) -> str:
    """The server's connections go through the cable."""
    return cable.url


@pytest.fixture
async def connection(cable: Cable) -> AsyncIterator[psycopg.AsyncConnection]:
    """Not through the cable."""
    async with await psycopg.AsyncConnection.connect(cable.target, autocommit=True) as connection:
        yield connection


async def figures(connection: psycopg.AsyncConnection) -> Figures:
    """Purchases, messages, and what team 1 has left."""
    row = await (await connection.execute(FIGURES)).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


async def test_addition_whose_commit_breaks_is_booked_when_it_is_repeated(
    api: Api, connection: psycopg.AsyncConnection
) -> None:
    before = await figures(connection)
    await connection.execute(DIE_WHILE_COMMITTING.format(table="credit_purchase"))
    answer = await api("superadmin", ADD, k="k")
    assert (answer.codes, answer.data) == (["OUTCOME_UNKNOWN"], {"addCredits": None})
    assert await figures(connection) == before
    await connection.execute(LIVE_ON)
    for _ in range(2):
        assert (await api("superadmin", ADD, k="k")).ok
        assert await figures(connection) == (before[0] + 1, before[1], before[2] + 500)


async def test_addition_whose_answer_is_lost_is_booked_once(
    api: Api, cable: Cable, connection: psycopg.AsyncConnection
) -> None:
    purchases, messages, balance = await figures(connection)
    await api("superadmin", "{ currentUser { id } }")
    cable.cut_at(b"COMMIT\0", is_delivered=False)
    assert (await api("superadmin", ADD, k="k")).codes == ["OUTCOME_UNKNOWN"]
    booked = (purchases + 1, messages, balance + 500)
    assert await figures(connection) == booked
    cable.mend()
    assert (await api("superadmin", ADD, k="k")).ok
    assert await figures(connection) == booked


async def test_text_whose_commit_breaks_is_sent_when_it_is_repeated(
    api: Api, connection: psycopg.AsyncConnection
) -> None:
    before = await figures(connection)
    await connection.execute(DIE_WHILE_COMMITTING.format(table="message"))
    assert (await api.send("texter", 1, key="k")).codes == ["OUTCOME_UNKNOWN"]
    assert await figures(connection) == before
    await connection.execute(LIVE_ON)
    for _ in range(2):
        assert (await api.send("texter", 1, key="k")).ok
        assert await figures(connection) == (before[0], before[1] + 1, before[2] - 1)


@pytest.mark.parametrize("is_delivered", [False, True], ids=["of the write", "of the reads after"])
async def test_text_whose_answer_is_lost_is_sent_once(
    api: Api,
    cable: Cable,
    connection: psycopg.AsyncConnection,
    resources: Resources,
    is_delivered: bool,
) -> None:
    """Nobody may hear "nothing was changed; please try again" about a text that was accepted."""
    resources.database.pool.timeout = 0.5
    purchases, messages, balance = await figures(connection)
    assert (await api("texter", "{ currentUser { id } }")).ok
    cable.cut_at(b"ACCEPTED", is_delivered=is_delivered)
    assert (await api.send("texter", 1, key="k")).codes == ["OUTCOME_UNKNOWN"]
    sent = (purchases, messages + 1, balance - 1)
    assert await figures(connection) == sent
    cable.mend()
    resources.database.pool.timeout = 10  # it tries to connect at growing intervals
    assert (await api.send("texter", 1, key="k")).ok
    assert await figures(connection) == sent


async def test_addition_whose_figures_can_not_be_read_is_not_called_undone(
    api: Api, cable: Cable, connection: psycopg.AsyncConnection
) -> None:
    purchases, messages, balance = await figures(connection)
    assert (await api("superadmin", "{ currentUser { id } }")).ok
    cable.cut_at(b"COMMIT\0", is_delivered=True)
    assert (await api("superadmin", ADD, k="k")).codes == ["OUTCOME_UNKNOWN"]
    assert await figures(connection) == (purchases + 1, messages, balance + 500)


async def test_what_is_read_below_the_root_is_unavailable_too(api: Api, cable: Cable) -> None:
    document = "{ currentUser { id memberships { edges { node { role } } } } }"
    assert (await api("texter", document)).ok
    cable.cut_at(PEOPLE["texter"].encode(), is_delivered=True)
    assert (await api("texter", document)).codes == ["SERVICE_UNAVAILABLE"]
