"""Questions share statements, and what is wrong with one of them is told to its asker alone."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest
from psycopg import AsyncConnection

from models.database import Database, open_database
from services.delivery_reports import apply_reports
from services.errors import ServiceUnavailable
from services.providers import DeliveryStatus, Report
from services.shared_statements import SharedStatements
from tests.test_text_worker import accept
from tests.world import make_team, rows, value, with_settings


async def test_one_bad_question_fails_alone(database: Database) -> None:
    """Whatever the database has against it."""
    await rows(database, "create table good (n int check (n > 0))")

    async def insert(connection: AsyncConnection, numbers: Sequence[int]) -> Sequence[int]:
        await connection.execute("insert into good select unnest(%s::int[])", [list(numbers)])
        return numbers

    shared = SharedStatements(database.pool, insert)
    answers = await asyncio.gather(*map(shared.ask, [1, 2, 0, 3, 4, -1]), return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [1, 2, 3, 4]
    assert isinstance(answers[2], psycopg.IntegrityError)
    assert await value(database, "select count(*) from good") == 4


async def test_a_database_that_only_reads_is_not_available(
    database: Database, database_url: str
) -> None:
    """As after a failover, until the connections lead to the new one."""
    team = await make_team(database, credits=5)
    [text] = await accept(database, team, 0)
    url = with_settings(database_url, "default_transaction_read_only=on")
    async with open_database(url) as old:
        shared = SharedStatements(old.pool, apply_reports)
        with pytest.raises(ServiceUnavailable):
            await shared.ask(Report(text, DeliveryStatus.SENT, "SM1"))
