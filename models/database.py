"""Two ways to the database: SQLAlchemy, and a psycopg pool where every microsecond counts."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

ACQUIRE_SECONDS = 10
"""How long to wait for a free connection before giving up."""


@dataclass(frozen=True, slots=True)
class Database:
    """`sessions`: units of work. `pool`: autocommit connections for statements written by hand."""

    sessions: async_sessionmaker[AsyncSession]
    pool: AsyncConnectionPool[AsyncConnection]


async def driver_connection(session: AsyncSession) -> AsyncConnection:
    """The psycopg connection of the session's transaction, for statements written by hand.

    What the session still holds back is written first.
    """
    await session.flush()
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    assert isinstance(raw.driver_connection, AsyncConnection)
    return raw.driver_connection


async def _check(connection: AsyncConnection) -> None:
    """Raises OperationalError for a connection that PostgreSQL has closed.

    An idle connection has nothing to read unless its end has been announced: only then is it worth
    a round trip to ask.
    """
    announced = select.poll()
    announced.register(connection.fileno(), select.POLLIN)
    if announced.poll(0):
        await AsyncConnectionPool.check_connection(connection)


@asynccontextmanager
async def open_database(
    url: str, *, pool_size: int = 10, send_pool_size: int = 4
) -> AsyncIterator[Database]:
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=ACQUIRE_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,  # errors go to the log, texts and addresses don't
    )
    pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=send_pool_size,
        kwargs={"autocommit": True},
        timeout=ACQUIRE_SECONDS,
        reconnect_timeout=ACQUIRE_SECONDS,
        open=False,
        check=_check,
    )
    await pool.open()
    try:
        yield Database(async_sessionmaker(engine, expire_on_commit=False), pool)
    finally:
        await pool.close()
        await engine.dispose()
