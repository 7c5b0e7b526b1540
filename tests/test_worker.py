"""Stopping a worker: what it is at comes to its end, if that doesn't take long."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from models.database import Database
from server.worker import Pace, _forever, _to_its_end, run_worker
from services.settings import Settings
from tests.conftest import SECRET
from tests.mailing import PACE, TOLD, exhaust, make_team, notices
from tests.world import until_waiting


class Work:
    def __init__(self, seconds: float, error: Exception | None = None) -> None:
        self.is_done = False
        self.is_cut_off = False
        self._seconds, self._error = seconds, error

    async def do(self) -> None:
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.is_cut_off = True
            raise
        if self._error:
            raise self._error
        self.is_done = True


async def stop_amid(work: Work, pace: Pace) -> None:
    task = asyncio.create_task(_to_its_end(work.do, pace)())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_short_work_is_let_finish() -> None:
    work = Work(0.1)
    await stop_amid(work, PACE)
    assert (work.is_done, work.is_cut_off) == (True, False)


async def test_long_work_is_cut_off() -> None:
    work = Work(60)
    async with asyncio.timeout(5):
        await stop_amid(work, replace(PACE, stop=0.1))
    assert (work.is_done, work.is_cut_off) == (False, True)


async def test_work_goes_on_while_there_is_more() -> None:
    """Each part by itself, so that it can be stopped between them."""
    parts = [True, True, False]
    done = asyncio.Event()

    async def part() -> bool:
        is_more = parts.pop(0)
        if not is_more:
            done.set()
        return is_more

    task = asyncio.create_task(_forever(_to_its_end(part, PACE), 60, PACE))
    async with asyncio.timeout(10):
        await done.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_trouble_at_the_end_is_told() -> None:
    with capture_logs() as logged:
        await stop_amid(Work(0.1, ValueError("no")), PACE)
    [line] = logged
    assert (line["event"], line["work"], str(line["exc_info"])) == ("worker_trouble", "do", "no")


async def test_trouble_without_a_stop_is_trouble() -> None:
    with pytest.raises(ValueError, match="no"):
        await _to_its_end(Work(0, ValueError("no")).do, PACE)()


async def test_a_stopped_worker_keeps_what_it_was_at(
    database: Database, database_url: str, settings: Settings
) -> None:
    await exhaust(database, settings, await make_team(database))
    worker = asyncio.create_task(run_worker(settings, database_url, SECRET, pace=PACE))
    async with database.sessions.begin() as session:
        await session.execute(text("lock table credit_exhaustion in exclusive mode"))
        await until_waiting(database, 1)
        worker.cancel()
        await asyncio.wait([worker], timeout=0.2)
        assert not worker.done()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert set(await notices(database)) == TOLD


@pytest.mark.long
async def test_a_worker_stops_at_any_moment_of_its_start(
    database_url: str, settings: Settings
) -> None:
    pace = replace(PACE, look=0.01, find_stranded=0.01, stop=0.1)
    for step in range(12):
        worker = asyncio.create_task(run_worker(settings, database_url, SECRET, pace=pace))
        await asyncio.sleep(0.05 + step / 60)
        worker.cancel()
        await asyncio.wait([worker], timeout=10)
        assert worker.cancelled(), step
