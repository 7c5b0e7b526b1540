"""Group commit: sends that arrive while a transaction is under way share the next one.

An idle server writes a batch of one at once, so nothing waits for company. One transaction at a
time serves all teams; a team whose account somebody holds gets a lane of its own, where it delays
only itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from models.database import BOUND_IDLENESS
from services.bell import Bell
from services.errors import Conflict, OutcomeUnknown, ServiceUnavailable
from services.link_domains import next_domains
from services.metrics import BATCHES
from services.send_facts import Facts, Question, read_facts
from services.send_statement import KEY_INDEX, Outcome, Send, Written, write_sends
from services.settings import Settings
from services.shared_statements import SharedStatements

MOST_IN_A_BATCH = 256
ATTEMPTS = 3
ROLLED_BACK_CLASSES = ("40", "55", "57014")
"""SQLSTATEs of deadlocks, lock time-outs and cancelled statements: nothing was written."""
COMMON_LOCK_SECONDS = 0.2
"""How long an account may be held before its team gets a lane of its own."""
OWN_LOCK_SECONDS = 1.0
MOST_TRIES = 4
_CLOSE = "update campaign_contact set message_status = 'closed' where id = %s"

Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class _Waiting:
    send: Send
    campaign_id: int
    written: asyncio.Future[Written]
    tries: int = 0

    def settle(self, written: Written | Exception) -> None:
        if self.written.done():  # the caller has gone; what was written stays
            return
        if isinstance(written, Exception):
            self.written.set_exception(written)
        else:
            self.written.set_result(written)


@dataclass(eq=False, slots=True)
class _Lane:
    """Sends that share transactions, in their order of arrival."""

    lock_seconds: float
    most_in_a_batch: int = MOST_IN_A_BATCH
    waiting: list[_Waiting] = field(default_factory=list)
    is_running: bool = False

    def take(self) -> list[_Waiting]:
        """The next batch: a contact at most once, since the statement locks each only once."""
        batch: list[_Waiting] = []
        rest: list[_Waiting] = []
        contacts: set[int] = set()
        for one in self.waiting:
            if len(batch) < self.most_in_a_batch and one.send.contact_id not in contacts:
                contacts.add(one.send.contact_id)
                batch.append(one)
            else:
                rest.append(one)
        self.waiting = rest
        return batch


class SendWriter:
    """Handed to the services that send. Commits what it writes; a caller that gives up doesn't
    interrupt it half-way."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        settings: Settings,
        bell: Bell | None = None,
    ) -> None:
        """`bell`: rung after each commit; one of its own if none is given."""
        self._pool = pool
        self._bell = bell or Bell(pool)
        self._facts = SharedStatements(pool, partial(read_facts, settings=settings))
        self._link_domains = SharedStatements(pool, next_domains)
        self._common = _Lane(COMMON_LOCK_SECONDS)
        self._own: dict[int, _Lane] = {}
        self._unassigned: dict[int, _Lane] = {}
        # Some connections stay free for the common lane and for reading.
        self._own_connections = asyncio.Semaphore(max(1, pool.max_size - 2))
        self._running: set[asyncio.Task[None]] = set()

    async def facts(self, question: Question) -> Facts:
        """Raises ServiceUnavailable when the database can't be reached."""
        return await self._facts.ask(question)

    async def next_link_domain(self, team_id: int) -> str | None:
        """Whose turn it is, for one text. Raises ServiceUnavailable."""
        return await self._link_domains.ask(team_id)

    async def close_contact(self, contact_id: int) -> None:
        """Raises ServiceUnavailable."""
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_CLOSE, [contact_id])
        except psycopg.OperationalError as error:
            raise ServiceUnavailable from error

    async def write(self, send: Send, *, campaign_id: int) -> Written:
        """Raises ServiceUnavailable and Conflict when nothing was written, OutcomeUnknown when the
        connection broke without an answer."""
        waiting = _Waiting(send, campaign_id, asyncio.get_running_loop().create_future())
        if send.assignment_id is None:
            # One at a time, or the texts of one team would take every connection that waits.
            lane = self._unassigned.setdefault(send.team_id, _Lane(OWN_LOCK_SECONDS, 1))
        else:
            lane = self._own.get(send.team_id, self._common)
        self._enqueue(lane, [waiting])
        return await waiting.written

    def ring(self, send: Send, written: Written) -> None:
        """After the commit of a send that another's transaction wrote."""
        is_accepted = written.outcome is Outcome.ACCEPTED
        if is_accepted or written.outcome is Outcome.INSUFFICIENT:
            self._bell.ring([send.team_id], texts=is_accepted)

    async def drain(self) -> None:
        """Waits for what is being written."""
        while self._running:
            await asyncio.wait(self._running)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _enqueue(self, lane: _Lane, waiting: Iterable[_Waiting]) -> None:
        lane.waiting.extend(waiting)
        if not lane.is_running:
            lane.is_running = True
            self._start(self._run(lane))

    async def _run(self, lane: _Lane) -> None:
        while batch := lane.take():
            await self._write_batch(lane, batch)
        lane.is_running = False
        for lanes in (self._own, self._unassigned):
            for team in [team for team, one in lanes.items() if one is lane]:
                del lanes[team]

    async def _write_batch(self, lane: _Lane, batch: list[_Waiting]) -> None:
        try:
            written = await self._written(lane, batch)
        except psycopg.errors.LockNotAvailable:
            self._separate(lane, batch)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            await self._write_halves(lane, batch, error)
        except Exception as error:
            for one in batch:
                one.settle(error)
        else:
            self._hand_out(lane, batch, written)

    def _hand_out(self, lane: _Lane, batch: list[_Waiting], written: list[Written]) -> None:
        """What a bigger one hid goes into the next batch, before those that came later."""
        BATCHES.observe(len(batch))
        hidden = []
        for one, result in zip(batch, written, strict=True):
            if result.outcome is Outcome.NEXT_BATCH:
                hidden.append(one)
            else:
                one.settle(result)
        lane.waiting[:0] = hidden
        self._ring(batch, written)

    def _ring(self, batch: list[_Waiting], written: list[Written]) -> None:
        """For texts that wait to be sent out, and exhaustions that refusals may have opened."""
        results = list(zip(batch, written, strict=True))
        accepted = {b.send.team_id for b, w in results if w.outcome is Outcome.ACCEPTED}
        refused = {b.send.team_id for b, w in results if w.outcome is Outcome.INSUFFICIENT}
        self._bell.ring(accepted | refused, texts=bool(accepted))

    async def _write_halves(self, lane: _Lane, batch: list[_Waiting], error: psycopg.Error) -> None:
        """One bad row must not fail its neighbours, nor make each of them pay a transaction."""
        if len(batch) == 1:
            batch[0].settle(_result_of(error))
            return
        middle = len(batch) // 2
        await self._write_batch(lane, batch[:middle])
        await self._write_batch(lane, batch[middle:])

    def _separate(self, lane: _Lane, batch: list[_Waiting]) -> None:
        """Somebody holds the account of one of these teams. Each goes on in a lane of its own."""
        if lane.most_in_a_batch == 1:  # those behind it would not have come further
            batch, lane.waiting = [*batch, *lane.waiting], []
        for one in batch:
            one.tries += 1
            if one.tries >= MOST_TRIES:
                one.settle(Conflict())
            elif one.send.assignment_id is None:
                self._enqueue(lane, [one])
            else:
                own = self._own.setdefault(one.send.team_id, _Lane(OWN_LOCK_SECONDS))
                self._enqueue(own, [one])

    async def _written(self, lane: _Lane, batch: list[_Waiting]) -> list[Written]:
        async def write(connection: AsyncConnection) -> list[Written]:
            first = batch[0]
            if first.send.assignment_id is None:
                return [await _write_with_assignment(connection, first.send, first.campaign_id)]
            sends = [one.send for one in batch]
            return await write_sends(connection, sends, lock_seconds=lane.lock_seconds)

        async with nullcontext() if lane is self._common else self._own_connections:
            return await self._committed(write)

    async def _committed(self, write: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Runs the work again where it was certainly rolled back by no fault of its own."""
        for _ in range(ATTEMPTS):
            try:
                async with self._pool.connection() as connection:
                    return await write(connection)
            except (PoolTimeout, PoolClosed) as error:
                raise ServiceUnavailable from error
            except psycopg.errors.LockNotAvailable:
                raise
            except psycopg.OperationalError as error:
                if not (error.sqlstate or "").startswith(ROLLED_BACK_CLASSES):
                    raise OutcomeUnknown from error
        raise Conflict


def _result_of(error: Exception) -> Written | Exception:
    """A key that another request has just used is looked at again: the facts know it by now."""
    if isinstance(error, psycopg.IntegrityError) and error.diag.constraint_name == KEY_INDEX:
        return Written(Outcome.LOOK_AGAIN, None, 0)
    return error


async def write_alone(connection: AsyncConnection, send: Send, *, campaign_id: int) -> Written:
    """In the caller's transaction, or one of its own.

    Raises Conflict and LockNotAvailable, with nothing written.
    """
    if send.assignment_id is None:
        return await _write_with_assignment(connection, send, campaign_id)
    [written] = await write_sends(connection, [send], lock_seconds=OWN_LOCK_SECONDS)
    return written


async def _write_with_assignment(
    connection: AsyncConnection, send: Send, campaign_id: int
) -> Written:
    """Finds or makes the sender's assignment for the message. A refusal leaves none behind."""
    async with connection.transaction():
        await connection.execute(BOUND_IDLENESS)
        try:
            made = await _make_assignment(connection, send.user_id, campaign_id)
        except psycopg.errors.LockNotAvailable as error:
            raise Conflict from error  # nobody behind them waits for the same
        assignment_id = made or await _find_assignment(connection, send.user_id, campaign_id)
        sends = [replace(send, assignment_id=assignment_id)]
        [written] = await write_sends(connection, sends, lock_seconds=OWN_LOCK_SECONDS)
        if made and written.outcome is not Outcome.ACCEPTED:
            await connection.execute("delete from assignment where id = %s", [made])
        return written


async def _make_assignment(
    connection: AsyncConnection, user_id: int, campaign_id: int
) -> int | None:
    cursor = await connection.execute(
        "insert into assignment (user_id, campaign_id) select %s, %s "
        "where set_config('lock_timeout', %s, true) is not null "
        "on conflict (user_id, campaign_id) do nothing returning id",
        [user_id, campaign_id, f"{OWN_LOCK_SECONDS}s"],
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
