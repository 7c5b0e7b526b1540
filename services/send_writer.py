"""Writes sends, each in a transaction of its own, and says truthfully what became of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.errors import Conflict, OutcomeUnknown, ServiceUnavailable
from services.send_facts import Facts, Question, read_facts
from services.send_statement import Outcome, Send, Written, write_sends
from services.settings import Settings

ATTEMPTS = 3
ROLLED_BACK_CLASSES = ("40", "55", "57014")
"""SQLSTATEs of deadlocks, lock time-outs and cancelled statements: nothing was written."""


class SendWriter:
    """Handed to the services that send. Commits what it writes; a caller that gives up doesn't
    interrupt it half-way."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._running: set[asyncio.Task[Written]] = set()

    async def facts(self, question: Question) -> Facts:
        """Raises ServiceUnavailable when the database can't be reached."""
        async with self._connection() as connection:
            [facts] = await read_facts(connection, [question], self._settings)
            return facts

    async def close_contact(self, contact_id: int) -> None:
        """Raises ServiceUnavailable."""
        async with self._connection() as connection:
            await connection.execute(
                "update campaign_contact set message_status = 'closed' where id = %s", [contact_id]
            )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise ServiceUnavailable from error

    async def write(self, send: Send, *, campaign_id: int) -> Written:
        """Raises ServiceUnavailable and Conflict when nothing was written, OutcomeUnknown when the
        connection broke without an answer."""
        task = asyncio.create_task(self._write(send, campaign_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Waits for what is being written."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _write(self, send: Send, campaign_id: int) -> Written:
        for _ in range(ATTEMPTS):
            try:
                async with self._pool.connection() as connection:
                    if send.assignment_id is None:
                        return await _write_unassigned(connection, send, campaign_id)
                    [written] = await write_sends(connection, [send])
                    return written
            except PoolTimeout as error:
                raise ServiceUnavailable from error
            except psycopg.errors.UniqueViolation:
                # Another request with this key was faster: the facts know it by now.
                return Written(Outcome.LOOK_AGAIN, None, 0)
            except psycopg.OperationalError as error:
                if not (error.sqlstate or "").startswith(ROLLED_BACK_CLASSES):
                    raise OutcomeUnknown from error
        raise Conflict


async def _write_unassigned(connection: AsyncConnection, send: Send, campaign_id: int) -> Written:
    """Finds or makes the sender's assignment for the message. A refusal leaves none behind."""
    async with connection.transaction():
        made = await _make_assignment(connection, send.user_id, campaign_id)
        assignment_id = made or await _find_assignment(connection, send.user_id, campaign_id)
        [written] = await write_sends(connection, [replace(send, assignment_id=assignment_id)])
        if made and written.outcome is not Outcome.ACCEPTED:
            await connection.execute("delete from assignment where id = %s", [made])
        return written


async def _make_assignment(
    connection: AsyncConnection, user_id: int, campaign_id: int
) -> int | None:
    cursor = await connection.execute(
        "insert into assignment (user_id, campaign_id) values (%s, %s) "
        "on conflict (user_id, campaign_id) do nothing returning id",
        [user_id, campaign_id],
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def _find_assignment(connection: AsyncConnection, user_id: int, campaign_id: int) -> int:
    cursor = await connection.execute(
        "select id from assignment where user_id = %s and campaign_id = %s", [user_id, campaign_id]
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
