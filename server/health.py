"""Is the process alive, and can it do its work?"""

import asyncio

import psycopg
from psycopg.rows import scalar_row
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from models.migrations import VERSION_TABLE, heads
from server.bodies import JsonResponse
from server.resources import Resources, resources_of

NEWEST = heads()


async def healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    reason = await why_not_ready(resources_of(request))
    return JsonResponse(
        {"ready": reason is None, "reason": reason}, status_code=503 if reason else 200
    )


async def _applied_revisions(resources: Resources) -> set[str]:
    async with (
        resources.database.pool.connection(timeout=5) as connection,
        connection.cursor(row_factory=scalar_row) as cursor,
    ):
        await cursor.execute(f"select version_num from {VERSION_TABLE}")
        return set(await cursor.fetchall())


async def why_not_ready(resources: Resources) -> str | None:
    try:
        async with asyncio.timeout(5):
            applied = await _applied_revisions(resources)
    except psycopg.errors.UndefinedTable:
        return "The database is not migrated: run the command migrate."
    except (psycopg.OperationalError, PoolTimeout, TimeoutError):
        return "The database doesn't answer."
    # An installed Spoke has no revision of the branch `spoke`.
    if not {NEWEST["credits"]} <= applied <= set(NEWEST.values()):
        return "The database is at another revision than this server: run the command migrate."
    return None
