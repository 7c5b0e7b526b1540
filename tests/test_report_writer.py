"""Reports share statements, and one that can't be recorded now delays only its own team's."""

import asyncio

import pytest
from psycopg.errors import LockNotAvailable

from models.database import Database
from services.delivery_reports import Applied
from services.providers import DeliveryStatus, Report
from services.report_writer import ReportWriter
from tests.test_text_worker import accept
from tests.world import books, holding, make_team

HELD_ACCOUNT = "select from credit_account where team_id = %(team)s for update"
HELD_TEXTS = "select from outbound_text where team_id = %(team)s for update"


def failed(*ids: int) -> list[Report]:
    return [Report(message_id, DeliveryStatus.FAILED, f"SM{message_id}") for message_id in ids]


@pytest.mark.long
@pytest.mark.parametrize("held", [HELD_ACCOUNT, HELD_TEXTS])
async def test_a_held_team_delays_only_itself(database: Database, held: str) -> None:
    teams = [await make_team(database, contacts=5, credits=5) for _ in range(4)]
    ids = [await accept(database, team, *range(5)) for team in teams]
    writer = ReportWriter(database.pool)
    async with holding(database, held, team=teams[0].id):
        stuck = [asyncio.ensure_future(writer.write(report)) for report in failed(*ids[0])]
        others = [writer.write(report) for one in ids[1:] for report in failed(*one)]
        applied = await asyncio.gather(*others)
        assert all(one.is_news for one in applied)
        again = await asyncio.gather(*stuck, return_exceptions=True)
        assert {type(error) for error in again} == {LockNotAvailable}
        [late, other] = await asyncio.gather(
            *map(writer.write, failed(ids[0][0], ids[1][0])), return_exceptions=True
        )
        assert isinstance(late, LockNotAvailable)
        assert isinstance(other, Applied) and not other.is_news
    assert all([(await writer.write(report)).is_news for report in failed(*ids[0])])
    assert not (await writer.write(Report(999, DeliveryStatus.SENT))).is_news
    for team in teams:
        assert (await books(database, team.id)).balance == 5
