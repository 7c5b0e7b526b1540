"""The worker's part in the pre-flight: counts what campaigns will need, one after the other."""

import asyncio

from models.database import Database
from services.first_texts import count_credits
from services.preflight import LEASE, claim_estimate, record_estimate
from services.settings import Settings


async def make_estimates(database: Database, settings: Settings) -> None:
    """All that are wanted and that no other worker is counting."""
    while True:
        async with database.sessions.begin() as session:
            claim = await claim_estimate(session)
        if claim is None:
            return
        async with asyncio.timeout(LEASE.total_seconds()), database.sessions.begin() as session:
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            figures = await count_credits(
                session, settings, campaign_id=claim.campaign_id, team_id=claim.team_id
            )
        async with database.sessions.begin() as session:
            await record_estimate(session, claim, figures)
