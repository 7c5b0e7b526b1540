"""A thousand texters watch their team's credits on one server process while the team sends through
another one: what that costs the first, and how soon all are told that the team may not send."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import psycopg

from bench.harness import SECRET, Server, cpu_seconds, database, measure, server
from bench.report import Figure, Outcome, Row
from bench.requests import sends
from bench.world import (
    SUPERADMIN,
    TEXTER,
    add_contacts,
    cookies_of,
    in_transaction,
    make_world,
)
from server.sessions import COOKIE, signed
from services.access import Actor
from services.credits import set_credits_enabled

WATCHERS = 1000
SENDERS, EVERY = 10, 0.1
"""In seconds: a hundred texts a second all told."""
SECONDS = 20
_CROWD = """
with made as (
  insert into "user" (auth0_id, first_name, last_name, cell, email)
  select 'x', 'Terry', 'Texter ' || n, '', 'texter-' || n || '@bench.example'
  from generate_series(1, %s) n returning id
),
joined as (
  insert into user_organization (user_id, organization_id, role) select id, 1, 'TEXTER' from made
)
insert into user_session (sid, sess, expire)
select 'bench-' || id, json_build_object('passport', json_build_object('user', id)),
  now() + interval '30 days'
from made returning sid
"""


def run() -> Outcome:
    with database() as url, server(url) as watched, server(url) as sending:
        make_world(url)
        cookies = _cookies(url)
        rows = [_silent(watched, "nobody watches")]
        memory = _megabytes(watched)
        with _watching(watched, cookies) as watchers:
            per_socket = round((_megabytes(watched) - memory) / WATCHERS * 1024, 1)
            rows.append(_silent(watched, "1000 watch, nothing is sent"))
            rows.append(_sent(url, watched, sending))
            blocked_at, cpu = _blocked(url, watched)
            told = _told(watchers)
    delays = sorted(round((at - blocked_at) * 1000) for at in told if at > blocked_at)
    assert len(told) == len(delays) == WATCHERS, "once each, and only of the status"
    blocked = {"told": len(delays), "p50": delays[WATCHERS // 2], "last": delays[-1], "cpu": cpu}
    beyond = round(rows[2]["cpu"] - rows[1]["cpu"], 2)
    return Outcome(
        {
            "The process that is watched (CPU in % of a core)": rows,
            "All are told that the team is blocked (ms; CPU in ms)": [blocked],
            "Memory of a connection (kB)": [{"kilobytes": per_socket}],
        },
        [
            Figure("1000 watch while 100/s are sent, CPU beyond silence", beyond, 2, "%"),
            Figure("1000 are told of a status, the last after", delays[-1], 1000, "ms"),
        ],
    )


def _cookies(url: str) -> list[str]:
    """Of as many texters of team 1."""
    with psycopg.connect(url) as connection:
        made = connection.execute(_CROWD, [WATCHERS]).fetchall()
    return [f"{COOKIE}={signed(sid, SECRET)}" for (sid,) in made]


@contextmanager
def _watching(watched: Server, cookies: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all of them, once they have been told the first time."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.watchers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(orjson.dumps({"port": watched.port, "cookies": cookies}) + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        yield process


def _told(watchers: subprocess.Popen[bytes]) -> list[float]:
    """Ends them. When they were told something."""
    said = orjson.loads(watchers.communicate(b"\n")[0])
    assert not said["lost"]
    return [float(at) for at in said["told"]]


def _silent(watched: Server, name: str) -> Row:
    before = cpu_seconds(watched.pid)
    time.sleep(SECONDS)
    return {"": name, "cpu": _percent(cpu_seconds(watched.pid) - before), "texts/s": 0}


def _sent(url: str, watched: Server, sending: Server) -> Row:
    bodies = sends(add_contacts(url, round(SENDERS / EVERY * (SECONDS + 2)), 1))
    spec = {"cookies": cookies_of(url, TEXTER), "clients": SENDERS, "every": EVERY}
    before, started = cpu_seconds(watched.pid), time.monotonic()
    found = measure(url, [sending], {**spec, "seconds": SECONDS, "bodies": bodies})
    cpu = (cpu_seconds(watched.pid) - before) * SECONDS / (time.monotonic() - started)
    return {"": "1000 watch, 100/s are sent", "cpu": _percent(cpu), "texts/s": found.per_second}


def _blocked(url: str, watched: Server) -> tuple[float, float]:
    """When credits were turned off, and the CPU that telling all of them took."""
    before = cpu_seconds(watched.pid)
    actor = Actor(SUPERADMIN, "Sam Person 1", is_superadmin=True)
    in_transaction(url, lambda s: set_credits_enabled(s, actor, team_id=1, enabled=False))
    at = time.monotonic()
    time.sleep(3)
    return at, round((cpu_seconds(watched.pid) - before) * 1000)


def _percent(cpu: float) -> float:
    return round(cpu / SECONDS * 100, 2)


def _megabytes(running: Server) -> float:
    lines = Path(f"/proc/{running.pid}/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(kilobytes) / 1024
