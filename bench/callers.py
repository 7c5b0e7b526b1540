"""Callers of the group commit without HTTP: `python -m bench.callers` in a process of its own, told
by JSON on standard input. Each has one text under way, all to contacts of team 1.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import uvloop

from bench.world import TEXTER
from models.database import open_database
from services.send_statement import Outcome, Send
from services.send_writer import SendWriter
from services.settings import load_settings


def send_to(contact_id: int) -> Send:
    return Send(
        team_id=1,
        contact_id=contact_id,
        contact_assignment_id=1,
        assignment_id=1,
        user_id=TEXTER,
        contact_number="+12025550123",
        text=f"Hi {contact_id}, will you come?",
        cost=1,
        segments=1,
        media=0,
        send_before=datetime.now(UTC) + timedelta(hours=1),
    )


async def call(writer: SendWriter, contact_ids: Iterator[int], deadline: float) -> int:
    """Returns how many were accepted."""
    accepted = 0
    while time.perf_counter() < deadline and (contact_id := next(contact_ids, None)):
        written = await writer.write(send_to(contact_id), campaign_id=1)
        accepted += written.outcome is Outcome.ACCEPTED
    return accepted


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec`: url, first and count (contacts), callers, seconds."""
    contact_ids = iter(range(spec["first"], spec["first"] + spec["count"]))
    async with open_database(spec["url"]) as database:
        writer = SendWriter(database.pool, load_settings())
        started, cpu_before = time.perf_counter(), time.process_time()
        deadline = started + spec["seconds"]
        callers = [call(writer, contact_ids, deadline) for _ in range(spec["callers"])]
        texts = sum(await asyncio.gather(*callers))
        return {
            "texts": texts,
            "elapsed": time.perf_counter() - started,
            "cpu": time.process_time() - cpu_before,
        }


if __name__ == "__main__":
    result = uvloop.run(run(orjson.loads(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(orjson.dumps(result))
