"""Connections: what stays prepared on them, and what happens to those that PostgreSQL closes."""

import psycopg
import pytest
from sqlalchemy import func, select, text

from models.database import IDLE_SECONDS, Database, driver_connection, open_database
from models.users import User
from services.contacts import contacts_by_id

KEPT = "select count(*) from pg_prepared_statements"
CLOSE_OTHERS = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


async def kept(database: Database) -> tuple[int, int]:
    """How many statements are prepared on a connection of either pool that has been busy."""
    count = select(func.count()).select_from(User)
    async with database.pool.connection() as connection, database.sessions() as session:
        for _ in range(10):
            await contacts_by_id(connection, [1])
            await session.scalar(count)
        by_hand = await (await connection.execute(KEPT)).fetchone()
        by_orm = await (await (await driver_connection(session)).execute(KEPT)).fetchone()
    assert by_hand is not None and by_orm is not None
    return by_hand[0], by_orm[0]


@pytest.mark.parametrize(("prepares", "expected"), [(True, (1, 1)), (False, (0, 0))])
async def test_statements_stay_prepared_unless_a_pooler_forbids_it(
    database_url: str, prepares: bool, expected: tuple[int, int]
) -> None:
    async with open_database(database_url, prepares=prepares) as database:
        assert await kept(database) == expected


async def test_a_unit_of_work_that_stands_still_is_ended(database: Database) -> None:
    """Or the locks of a machine that has vanished would be held until its connection is given
    up, after hours. Nothing else on the connection is touched, which others may use after us."""
    idle = text("select current_setting('idle_in_transaction_session_timeout')")
    async with database.sessions() as session:
        assert await session.scalar(idle) == f"{IDLE_SECONDS}s"
        raw = await driver_connection(session)
        await session.commit()
        cursor = await raw.execute("select current_setting('idle_in_transaction_session_timeout')")
        assert await cursor.fetchone() == ("0",)
        await raw.rollback()
    async with database.reads() as session:
        assert await session.scalar(idle) == "0"


async def test_connections_that_were_closed_while_idle_trouble_nobody(
    database: Database, database_url: str
) -> None:
    await kept(database)
    async with database.reads() as session:
        assert await session.scalar(select(1)) == 1
    with psycopg.connect(database_url, autocommit=True) as other:
        closed = other.execute(CLOSE_OTHERS).fetchall()
    assert len(closed) >= 2
    assert await kept(database) == (1, 1)
    async with database.reads() as session:
        assert await session.scalar(select(1)) == 1
