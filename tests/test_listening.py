"""What is told is heard, whatever happens to the connection."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from models import listening
from models.database import Database
from models.listening import ANYTHING, Notification, listen
from tests.cable import cable_to
from tests.world import rows, value

CHANNELS = ["spoke_credits_red", "spoke_credits_blue"]
LISTENERS = """
select pid from pg_stat_activity
where datname = current_database() and query ~ '^(listen|select$)' and pid <> pg_backend_pid()
"""


async def tell(database: Database, channel: str, payload: str) -> None:
    await rows(
        database, "select pg_notify(%(channel)s, %(payload)s)", channel=channel, payload=payload
    )


async def next_of(heard: AsyncIterator[Notification], seconds: float = 10) -> Notification:
    async with asyncio.timeout(seconds):
        return await anext(heard)


async def test_what_is_told_is_heard_in_its_order(database: Database, database_url: str) -> None:
    async with listen(database_url, CHANNELS) as heard:
        assert await next_of(heard) == ANYTHING
        for number in range(20):
            await tell(database, CHANNELS[number % 2], f"{number}")
        told = [await next_of(heard) for _ in range(20)]
    assert told == [Notification(CHANNELS[n % 2], f"{n}") for n in range(20)]


async def test_nothing_else_is_heard(database: Database, database_url: str) -> None:
    async with listen(database_url, CHANNELS[:1]) as heard:
        await next_of(heard)
        await tell(database, CHANNELS[1], "")
        with pytest.raises(TimeoutError):
            await next_of(heard, 0.3)


async def test_the_connection_ends_with_the_block(database: Database, database_url: str) -> None:
    async with listen(database_url, CHANNELS) as heard:
        await next_of(heard)
        assert len(await rows(database, LISTENERS)) == 1
    async with asyncio.timeout(10):
        while await rows(database, LISTENERS):
            pass


async def test_a_killed_connection_comes_back_and_says_so(
    database: Database, database_url: str
) -> None:
    async with listen(database_url, CHANNELS) as heard:
        await next_of(heard)
        for number in range(3):
            assert await rows(database, f"select pg_terminate_backend(pid) from ({LISTENERS}) l")
            assert await next_of(heard) == ANYTHING
            await tell(database, CHANNELS[0], f"{number}")
            assert await next_of(heard) == Notification(CHANNELS[0], f"{number}")


async def test_a_database_that_comes_later_is_waited_for(
    database: Database, database_url: str
) -> None:
    async with cable_to(database_url) as cable:
        cable.cut()
        async with listen(cable.url, CHANNELS) as heard:
            first = asyncio.ensure_future(anext(heard))
            assert not (await asyncio.wait([first], timeout=0.5))[0]
            cable.mend()
            assert await asyncio.wait_for(first, 10) == ANYTHING
            await tell(database, CHANNELS[0], "late")
            assert await next_of(heard) == Notification(CHANNELS[0], "late")


async def test_a_connection_that_is_silent_but_alive_is_kept(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "SECONDS_OF_SILENCE", 0.05)
    async with listen(database_url, CHANNELS) as heard:
        await next_of(heard)
        before = await value(database, LISTENERS)
        silent = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0.5)
        await tell(database, CHANNELS[0], "at last")
        assert await silent == Notification(CHANNELS[0], "at last")
        assert await value(database, LISTENERS) == before


@pytest.mark.long
async def test_a_connection_that_died_silently_is_found_out(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is closed, nothing is answered: as when a firewall forgets a connection."""
    monkeypatch.setattr(listening, "SECONDS_OF_SILENCE", 0.1)
    monkeypatch.setattr(listening, "SECONDS_TO_ANSWER", 0.1)
    async with listen(database_url, CHANNELS) as heard:
        await next_of(heard)
        pid = await value(database, LISTENERS)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert await next_of(heard, 30) == ANYTHING
        finally:
            os.kill(pid, signal.SIGCONT)
