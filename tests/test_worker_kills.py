"""Workers that are killed under load lose no text, and send none twice.

Real worker processes, a server that gets the delivery reports, and Twilio's twin, which knows what
it has taken.
"""

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from models.database import Database
from services.send_statement import Outcome, write_sends
from tests.conftest import SECRET
from tests.servers import Running, free_port, inherited, run, served
from tests.twilio_twin import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    BEHAVIOURS,
    SERVICE_SID,
    TwilioTwin,
    twilio_twin,
)
from tests.world import Team, add_messaging_service, books, make_send, make_team, rows, value

pytestmark = pytest.mark.long

log = logging.getLogger(__name__)

KILLS = 10
BATCHES, BATCH = 30, 20
KINDS = (
    *["counted"] * 5,
    *["silent"] * 10,
    "counted-fewer",
    "counted-more",
    "refused",
    "failed",
    "undelivered",
    "too-many",
    "server-error",
    "server-error-accepted",
    "breaks",
    "breaks-accepted",
    "repeated",
    "reordered",
)
"""What the twin does with the first request for a contact's text; it takes those after it. Nobody
tells what became of silent ones, so that sending one blindly again sends it twice."""
UNFINISHED = "select count(*) from outbound_text where state <> 'DONE'"


@pytest.fixture
def twin() -> Iterator[TwilioTwin]:
    with twilio_twin(latency_seconds=0.02, default=BEHAVIOURS["counted"]) as twin:
        yield twin


@contextmanager
def worker(url: str, server: Running, twin: TwilioTwin) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **inherited(),
        "DATABASE_URL": url,
        "SESSION_SECRET": SECRET,
        "DEFAULT_SERVICE": "twilio",
        "TWILIO_HOST": twin.url,
        "BASE_URL": f"http://127.0.0.1:{server.port}",
        "LOG_LEVEL": "ERROR",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hasty_worker"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


async def accept_all(database: Database, team: Team) -> None:
    """Unlike texts, some at a time, as texters would write them."""
    for batch in range(BATCHES):
        sends = [
            make_send(
                team,
                (position := batch * BATCH + n),
                cost=2,
                text=f"text {position}".ljust(153 * 2, "."),
                service="twilio",
                messaging_service_sid=SERVICE_SID,
            )
            for n in range(BATCH)
        ]
        async with database.pool.connection() as connection:
            written = await write_sends(connection, sends)
        assert all(w.outcome is Outcome.ACCEPTED for w in written)
        await asyncio.sleep(0.1)


async def killing(url: str, server: Running, twin: TwilioTwin, luck: random.Random) -> None:
    """Ten times in the middle of the work, and always another goes on beside the killed one."""
    with ExitStack() as others:
        others.enter_context(worker(url, server, twin))
        for _ in range(KILLS):
            with worker(url, server, twin) as process:
                await asyncio.sleep(luck.uniform(0.3, 1.5))
                process.send_signal(signal.SIGKILL)
                await asyncio.to_thread(process.wait)


async def until_finished(database: Database) -> None:
    give_up = time.monotonic() + 60
    while unfinished := await value(database, UNFINISHED):
        assert time.monotonic() < give_up, f"{unfinished} texts are not finished"
        await asyncio.sleep(0.2)


async def test_killed_workers_lose_nothing_and_send_nothing_twice(
    database: Database, database_url: str, twin: TwilioTwin
) -> None:
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
    log.warning("SEED=%d", seed)
    luck = random.Random(seed)
    count = BATCHES * BATCH
    team = await make_team(database, contacts=count, credits=2 * count)
    await add_messaging_service(
        database, team.id, SERVICE_SID, SECRET, account=(ACCOUNT_SID, AUTH_TOKEN)
    )
    for cell in team.cells:
        twin.will_treat(cell, BEHAVIOURS[luck.choice(KINDS)])
    port = free_port()
    with served(
        port=port,
        DATABASE_URL=database_url,
        SESSION_SECRET=SECRET,
        DEFAULT_SERVICE="twilio",
        TWILIO_HOST=twin.url,
        BASE_URL=f"http://127.0.0.1:{port}",
    ) as server:
        await asyncio.gather(accept_all(database, team), killing(database_url, server, twin, luck))
        with worker(database_url, server, twin):
            await until_finished(database)
            await twin.settled()
            await asyncio.sleep(1)

    taken = Counter(text.body for text in twin.accepted)
    twice = [body.rstrip(".") for body, times in taken.items() if times > 1]
    assert not twice
    assert twin.lists, "nothing was looked up"
    assert len(taken) > count / 2
    found = await rows(
        database,
        "select text, m.service_id, send_status, given_back from message m"
        " join outbound_text o on o.message_id = m.id",
    )
    sids = {text.body: text.sid for text in twin.accepted}
    wrong = [
        (row.text.rstrip("."), row.send_status)
        for row in found
        if (row.text in sids) != bool(row.service_id) or row.service_id != sids.get(row.text, "")
    ]
    assert not wrong
    not_taken = {row.text for row in found} - set(sids)
    assert not_taken <= {row.text for row in found if row.given_back}
    assert (await books(database, team.id)).texts == count
    for command in (("credits", "verify"), ("texts", "unknown")):
        shown = run(*command, DATABASE_URL=database_url, SESSION_SECRET=SECRET)
        assert shown.returncode == 0, shown.stdout
    assert shown.stdout == "0 unknown.\n"
