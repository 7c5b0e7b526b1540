"""Questions of many requests, and reports of many texts: one statement for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Generic, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable, ReadOnlySqlTransaction
from psycopg_pool import AsyncConnectionPool

from services.errors import ServiceUnavailable

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Ask = Callable[[AsyncConnection, Sequence[Question]], Awaitable[Sequence[Answer]]]

MOST_AT_ONCE = 256
UNAVAILABLE = (psycopg.OperationalError, ReadOnlySqlTransaction)
"""It is the database, not the question. After a failover the old one may still be read."""


class SharedStatements(Generic[Question, Answer]):
    """What is asked while a statement is under way goes into the next one. A question that comes
    alone is asked at once. Nothing is remembered: each answer is as new as its statement."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        ask: Ask[Question, Answer],
        *,
        within: asyncio.Semaphore | None = None,
    ) -> None:
        """`within`: limits how many connections such as this one take from the pool together."""
        self._pool = pool
        self._within = within or nullcontext()
        self._ask_at_once = ask
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """Raises ServiceUnavailable when the database can't be reached, LockNotAvailable when
        somebody holds what one of the batch needs."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await answer

    async def _ask_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            await self._settle(batch)
        self._asking = None

    async def _settle(self, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            async with self._within, self._pool.connection() as connection:
                answers = await self._ask_at_once(connection, [question for question, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except Exception as error:
            if len(batch) > 1 and _is_of_one(error):
                await self._settle_halves(batch)
            else:
                _fail(batch, error)
        else:
            for (_, waiting), answer in answered:
                if not waiting.done():  # the asker may have gone
                    waiting.set_result(answer)

    async def _settle_halves(self, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        """One bad question must not fail its neighbours."""
        middle = len(batch) // 2
        await self._settle(batch[:middle])
        await self._settle(batch[middle:])


def _is_of_one(error: Exception) -> bool:
    """Whether the others of its batch may fare better by themselves."""
    return isinstance(error, psycopg.DatabaseError) and not isinstance(error, UNAVAILABLE)


def _fail(batch: list[tuple[Question, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, waiting in batch:
        if not waiting.done():
            waiting.set_exception(_refusal(error))


def _refusal(error: Exception) -> Exception:
    if not isinstance(error, UNAVAILABLE) or isinstance(error, LockNotAvailable):
        return error
    refusal = ServiceUnavailable()
    refusal.__cause__ = error
    return refusal
