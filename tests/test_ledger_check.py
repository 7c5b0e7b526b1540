"""The worker's check of the books: when it is due, once, and aloud when something is wrong."""

import asyncio
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from models.database import Database
from server.ledger_worker import check_ledger
from services.settings import load_settings
from services.verification import LEASE, claim_check
from tests.world import SETTINGS, make_team, rows, value


async def checked(database: Database) -> Any:
    found = await rows(database, "select checked_at, entries, drifting_teams from ledger_check")
    return found[0] if found else None


async def test_the_books_are_checked_when_it_is_due(database: Database) -> None:
    await make_team(database, credits=100)
    await check_ledger(database, SETTINGS)
    first = await checked(database)
    assert (first.entries, first.drifting_teams) == (1, 0)
    await check_ledger(database, SETTINGS)
    assert await checked(database) == first
    await rows(database, "update ledger_check set checked_at = now() - interval '61 minutes'")
    await check_ledger(database, SETTINGS)
    assert (await checked(database)).checked_at > first.checked_at


async def test_books_that_are_wrong_are_told_aloud(database: Database) -> None:
    teams = [await make_team(database, credits=100) for _ in range(3)]
    await rows(
        database,
        "update credit_account set balance = balance + 1 where team_id = any(%(teams)s)",
        teams=[team.id for team in teams[:2]],
    )
    with capture_logs() as logs:
        await check_ledger(database, SETTINGS)
    found = [line for line in logs if line["event"] == "ledger_drift"]
    told = {line["team_id"]: line["drift"] for line in found}
    assert told.keys() == {team.id for team in teams[:2]}
    assert "balance 101, entries add up to 100" in told[teams[0].id]
    assert {line["log_level"] for line in found} == {"error"}
    assert (await checked(database)).drifting_teams == 2


async def test_one_worker_checks_the_books_at_a_time(database: Database) -> None:
    async def claim() -> bool:
        async with database.sessions.begin() as session:
            return await claim_check(session, every=timedelta(hours=1))

    assert sorted(await asyncio.gather(*(claim() for _ in range(8)))) == [False] * 7 + [True]
    assert not await claim()
    # It died; another takes over when its lease has ended.
    left = await value(database, "select lease_until - now() from ledger_check")
    assert LEASE - timedelta(seconds=10) < left <= LEASE
    await rows(database, "update ledger_check set lease_until = now() - interval '1 second'")
    assert sorted(await asyncio.gather(*(claim() for _ in range(8)))) == [False] * 7 + [True]


async def test_checking_the_books_can_be_turned_off(database: Database) -> None:
    await check_ledger(database, load_settings(ledger_check_minutes=0))
    assert await checked(database) is None
