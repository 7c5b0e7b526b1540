"""What a server process holds after many sends, and whether that still grows."""

import time
from pathlib import Path

from bench.harness import Server, database, measure, server
from bench.report import Figure, Outcome, Row
from bench.requests import sends
from bench.world import TEXTER, add_contacts, cookies_of, make_world

SENDS, STEP = 100_000, 10_000
CLIENTS = 64
SECONDS = 120
"""A slow machine doesn't come to SENDS; the figures say how far it came."""


def run() -> Outcome:
    with database() as url:
        make_world(url)
        with server(url) as running:
            rows = _sent(url, running, add_contacts(url, SENDS, 1))
    sent, middle, last = rows[-1]["sends"], rows[len(rows) // 2 - 1], rows[-1]["megabytes"]
    growth = round(last - middle["megabytes"], 1)
    return Outcome(
        {"Memory of a server process": rows},
        [
            Figure(f"memory after {sent:,} sends", last, 200, "MB"),
            Figure(f"memory, growth since {middle['sends']:,} sends", growth, 2, "MB"),
        ],
    )


def _sent(url: str, running: Server, contact_ids: range) -> list[Row]:
    rows: list[Row] = []
    spec = {"cookies": cookies_of(url, TEXTER), "clients": CLIENTS}
    deadline = time.monotonic() + SECONDS
    for first in range(0, SENDS, STEP):
        left = deadline - time.monotonic()
        if left < SECONDS / 20:
            break
        bodies = sends(contact_ids[first : first + STEP])
        found = measure(url, [running], {**spec, "seconds": left, "bodies": bodies})
        rows.append(
            {
                "sends": sum(row["requests"] for row in rows) + found.requests,
                "requests": found.requests,
                "per_second": found.per_second,
                "megabytes": _resident_megabytes(running.pid),
            }
        )
    return rows


def _resident_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return round(int(kilobytes) / 1024, 1)
