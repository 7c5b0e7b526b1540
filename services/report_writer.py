"""Reports that arrive while some are recorded share the next statement, whatever their teams.

A team whose account or text somebody holds gets statements of its own until one succeeds, and
delays only itself: as with sends, see send_writer.py.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable
from psycopg_pool import AsyncConnectionPool

from services.delivery_reports import Applied, apply_reports
from services.providers import Report
from services.shared_statements import SharedStatements

COMMON_LOCK_SECONDS = 0.2
"""How long one team may delay the others."""
OWN_LOCK_SECONDS = 1.0

Writes = SharedStatements[Report, Applied]


class ReportWriter:
    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool
        self._common = self._writes(COMMON_LOCK_SECONDS)
        self._teams: SharedStatements[int, int | None] = SharedStatements(pool, _teams_of_texts)
        self._own: dict[int | None, Writes] = {}
        # Some connections stay free for the others.
        self._own_connections = asyncio.Semaphore(max(1, pool.max_size - 2))

    async def write(self, report: Report) -> Applied:
        """Raises LockNotAvailable where somebody holds what the report needs, ServiceUnavailable
        when the database can't be reached."""
        if not self._own or await self._teams.ask(report.message_id) not in self._own:
            try:
                return await self._common.ask(report)
            except LockNotAvailable:
                pass  # perhaps not this one's team
        team_id = await self._teams.ask(report.message_id)
        own = self._own.setdefault(team_id, self._writes(OWN_LOCK_SECONDS, self._own_connections))
        applied = await own.ask(report)
        self._own.pop(team_id, None)
        return applied

    def _writes(self, lock_seconds: float, within: asyncio.Semaphore | None = None) -> Writes:
        apply = partial(apply_reports, lock_seconds=lock_seconds)
        return SharedStatements(self._pool, apply, within=within)


async def _teams_of_texts(
    connection: AsyncConnection, message_ids: Sequence[int]
) -> list[int | None]:
    cursor = await connection.execute(_TEAMS, [list(message_ids)])
    teams: dict[int, int] = dict(await cursor.fetchall())
    return [teams.get(message_id) for message_id in message_ids]


_TEAMS = "select message_id, team_id from outbound_text where message_id = any(%s)"
