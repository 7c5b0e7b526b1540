"""Two ways to the database: SQLAlchemy, and a psycopg pool where every microsecond counts."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

ACQUIRE_SECONDS = 10
"""How long to wait for a free connection before giving up."""
IDLE_SECONDS = 30
"""How long a unit of work may stand still. Others wait for what it has locked, and of a machine
that has vanished PostgreSQL hears only after hours."""
BOUND_IDLENESS = f"set local idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
KEPT_ALIVE: dict[str, Any] = {
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""In seconds. Firewalls forget silent connections, and say so only to the next statement."""


@dataclass(frozen=True, slots=True)
class Database:
    """`sessions`: units of work. `reads`: sessions for reading, whose statements are each a unit of
    work by itself, which saves the round trips of a transaction. `pool`: autocommit connections for
    statements by hand.
    """

    sessions: async_sessionmaker[AsyncSession]
    reads: async_sessionmaker[AsyncSession]
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


def _has_something_to_say(connection: AsyncConnection) -> bool:
    """Of an idle connection, that means that PostgreSQL has closed it, or nearly nothing."""
    announced = select.poll()
    announced.register(connection.fileno(), select.POLLIN)
    return bool(announced.poll(0))


async def _check(connection: AsyncConnection) -> None:
    """Raises OperationalError for a closed connection. Asking each time would be a round trip."""
    if _has_something_to_say(connection):
        await AsyncConnectionPool.check_connection(connection)


def _discard_closed(adapted: Any, *_: object) -> None:
    """The same for SQLAlchemy's pool, which goes on with another connection."""
    if _has_something_to_say(adapted.driver_connection):
        raise DisconnectionError


def _bound_idleness(connection: Connection) -> None:
    """For the transaction alone: behind a pooler, others use the connection after us."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(BOUND_IDLENESS)


@asynccontextmanager
async def open_database(
    url: str, *, pool_size: int = 10, send_pool_size: int = 4, prepares: bool = True
) -> AsyncIterator[Database]:
    """`prepares`: whether statements may stay prepared, which not every pooler allows."""
    options = KEPT_ALIVE if prepares else {**KEPT_ALIVE, "prepare_threshold": None}
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=ACQUIRE_SECONDS,
        connect_args=options,
        hide_parameters=True,  # errors go to the log, texts and addresses don't
    )
    event.listen(engine.sync_engine, "checkout", _discard_closed)
    event.listen(engine.sync_engine, "begin", _bound_idleness)
    pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=send_pool_size,
        kwargs={"autocommit": True, **options},
        timeout=ACQUIRE_SECONDS,
        reconnect_timeout=ACQUIRE_SECONDS,
        open=False,
        check=_check,
    )
    await pool.open()
    try:
        yield Database(
            sessions=async_sessionmaker(engine, expire_on_commit=False),
            reads=async_sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT")),
            pool=pool,
        )
    finally:
        await pool.close()
        await engine.dispose()
