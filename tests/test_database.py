"""Connections: what stays prepared on them, and what happens to those that PostgreSQL closes."""

import psycopg
import pytest
from sqlalchemy import func, select

from models.database import Database, driver_connection, open_database
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
