"""The bell: wakes other processes after a commit, so that they need not ask all the time.

A transaction that NOTIFYs holds a lock of the whole instance through its commit: sends never do.
What they changed is told afterwards, in a transaction that writes nothing. Nobody relies on it:
those who listen ask from time to time besides, so a lost stroke costs seconds and no more.
"""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

log = structlog.get_logger(__name__)

TEXTS = "spoke_credits_texts"
"""Channel: texts are waiting to be sent out. Its payload is empty."""
TEAMS = "spoke_credits_teams"
"""Channel: the credits of these teams may have changed. Its payload is like 3,17."""

SECONDS_BETWEEN_STROKES = 0.02
SECONDS_BETWEEN_TEAMS = 0.1
"""Nobody watches them more closely, and each server process that is watched hears every stroke."""
SECONDS_FOR_A_CONNECTION = 1.0
"""By then those who listen will have asked."""
MOST_TEAMS = 700
"""In one payload, which holds less than 8000 bytes."""
LONGEST_ID = 10
"""Digits."""

_NOTIFY = """
select pg_notify(channel, payload) from unnest(%s::text[], %s::text[]) as stroke (channel, payload)
"""


class Bell:
    """Collects what is rung while it sounds; the next stroke tells it all."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool
        self._teams: set[int] = set()
        self._has_texts = False
        self._teams_due_at = 0.0
        self._sounding: asyncio.Task[None] | None = None

    def ring(self, team_ids: Iterable[int], *, texts: bool = False) -> None:
        """These teams' credits may have changed, and that is committed. `texts`: and so are texts
        that wait to be sent out."""
        self._teams.update(team_ids)
        self._has_texts |= texts
        is_sounding = self._sounding is not None and not self._sounding.done()
        if not is_sounding and (self._teams or texts):
            self._sounding = asyncio.create_task(self._sound())

    async def drain(self) -> None:
        """Waits until all that was rung is told."""
        while self._sounding is not None and not self._sounding.done():
            await asyncio.wait([self._sounding])

    async def _sound(self) -> None:
        while self._teams or self._has_texts:
            if strokes := list(self._take(asyncio.get_running_loop().time())):
                try:
                    await self._notify(strokes)
                except Exception:  # what isn't told now is asked for later
                    log.warning("bell_is_mute", exc_info=True)
            await asyncio.sleep(SECONDS_BETWEEN_STROKES)

    def _take(self, now: float) -> Iterator[tuple[str, str]]:
        """Channels and payloads that are due."""
        has_texts, self._has_texts = self._has_texts, False
        if has_texts:
            yield TEXTS, ""
        if not self._teams or now < self._teams_due_at:
            return
        teams, self._teams = iter(self._teams), set()
        self._teams_due_at = now + SECONDS_BETWEEN_TEAMS
        while some := list(islice(teams, MOST_TEAMS)):
            yield TEAMS, payload_of(some)

    async def _notify(self, strokes: list[tuple[str, str]]) -> None:
        channels, payloads = zip(*strokes, strict=True)
        async with self._pool.connection(SECONDS_FOR_A_CONNECTION) as connection:
            await connection.execute(_NOTIFY, [list(channels), list(payloads)], prepare=False)


async def notify_teams(session: AsyncSession, *team_ids: int) -> None:
    """Tells it at the commit of this transaction. For rare and short ones: see above."""
    await session.execute(select(func.pg_notify(TEAMS, payload_of(team_ids))))


def payload_of(team_ids: Iterable[int]) -> str:
    return ",".join(map(str, team_ids))


def teams_of(payload: str) -> set[int]:
    """Anybody may notify anything: what can be no id is left out."""
    ids = payload.split(",")
    return {int(one) for one in ids if one.isdecimal() and len(one) <= LONGEST_ID}
