"""The worker's part in the pre-flight: counts what campaigns will need, one after the other."""

import asyncio

import structlog

from models.database import Database
from services.first_texts import Figures, count_credits
from services.preflight import LEASE, Claim, claim_estimate, put_off, record_estimate, renew_claim
from services.settings import Settings

log = structlog.get_logger("worker")


async def make_estimates(
    database: Database, settings: Settings, *, renew_seconds: float = LEASE.total_seconds() / 3
) -> None:
    """All that are wanted and that no other worker is counting. One that fails delays no other."""
    while True:
        async with database.sessions.begin() as session:
            claim = await claim_estimate(session)
        if claim is None:
            return
        try:
            await _make(database, settings, claim, renew_seconds)
        except Exception:
            log.exception("estimate_failed", campaign_id=claim.campaign_id)
            async with database.sessions.begin() as session:
                await put_off(session, claim)


async def _make(database: Database, settings: Settings, claim: Claim, renew_seconds: float) -> None:
    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(_renew(database, claim, renew_seconds))
        figures = await _count(database, settings, claim)
        renewing.cancel()
    async with database.sessions.begin() as session:
        await record_estimate(session, claim, figures)


async def _count(database: Database, settings: Settings, claim: Claim) -> Figures:
    async with database.sessions.begin() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        return await count_credits(
            session, settings, campaign_id=claim.campaign_id, team_id=claim.team_id
        )


async def _renew(database: Database, claim: Claim, every_seconds: float) -> None:
    while True:
        await asyncio.sleep(every_seconds)
        async with database.sessions.begin() as session:
            await renew_claim(session, claim)
