"""The worker's part in keeping the books: proves every balance now and then, and says so aloud if
one is wrong."""

import asyncio
from datetime import timedelta

import structlog

from models.database import Database
from services.settings import Settings
from services.verification import LEASE, claim_check, record_check, verify_credits

log = structlog.get_logger("worker")


async def check_ledger(database: Database, settings: Settings) -> None:
    """If it is due, and no other worker is at it."""
    if not settings.ledger_check_minutes:
        return
    async with database.sessions.begin() as session:
        every = timedelta(minutes=settings.ledger_check_minutes)
        if not await claim_check(session, every=every):
            return
    async with asyncio.timeout(LEASE.total_seconds()), database.sessions.begin() as session:
        found = await verify_credits(session)
        await record_check(session, found)
    for drift in found.drifts:
        log.error("ledger_drift", team_id=drift.team_id, drift=str(drift))
    log.info("ledger_checked", teams=found.teams, entries=found.entries, drifts=len(found.drifts))
