"""What other processes NOTIFY, heard on a connection of its own that comes back by itself."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from models.database import KEPT_ALIVE

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Before trying to connect anew: doubled each time."""
SECONDS_TO_CONNECT = 5
SECONDS_OF_SILENCE = 15.0
"""After which PostgreSQL is asked whether it is still there."""
SECONDS_TO_ANSWER = 5.0


class Notification(NamedTuple):
    channel: str
    payload: str


ANYTHING = Notification("", "")
"""Comes first on each new connection: what was told before it, nobody has heard. Read anew."""


@asynccontextmanager
async def listen(url: str, channels: Sequence[str]) -> AsyncIterator[AsyncIterator[Notification]]:
    """`url`: not of a pooler in transaction mode, which listens for nobody.

    The iterator never ends and never fails. While there is no connection it is silent: who needs
    to know must ask from time to time besides.
    """
    async with aclosing(_notifications(url, channels)) as notifications:
        yield notifications


async def _notifications(url: str, channels: Sequence[str]) -> AsyncGenerator[Notification, None]:
    pause = FIRST_PAUSE
    while True:
        try:
            async with _connected(url, channels) as connection:
                pause = FIRST_PAUSE
                yield ANYTHING
                while True:
                    heard = connection.notifies(timeout=SECONDS_OF_SILENCE)
                    async with aclosing(heard):
                        async for one in heard:
                            yield Notification(one.channel, one.payload)
                    async with asyncio.timeout(SECONDS_TO_ANSWER):
                        await connection.execute("select")
        except (psycopg.Error, OSError) as error:
            log.warning("listening_interrupted", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


@asynccontextmanager
async def _connected(url: str, channels: Sequence[str]) -> AsyncIterator[AsyncConnection]:
    connection = await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=SECONDS_TO_CONNECT, **KEPT_ALIVE
    )
    try:
        for channel in channels:
            await connection.execute(SQL("listen {}").format(Identifier(channel)))
        yield connection
    finally:
        await connection.close()
