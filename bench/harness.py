"""What benchmarks share: a database, servers in processes of their own, CPU accounting, tables."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg

from models.migrations import upgrade
from server.embedded_postgres import embedded_postgres
from server.sessions import COOKIE, signed

RESULTS = Path(__file__).parent / "results"
SECRET = "a-secret-for-benchmarks"
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def database() -> Iterator[str]:
    """A durable PostgreSQL of its own, migrated."""
    with tempfile.TemporaryDirectory(prefix="spoke-credits-bench-") as folder:
        Path(folder).chmod(0o755)
        with embedded_postgres(Path(folder), settings={"max_wal_size": "4GB"}) as url:
            upgrade(url)
            yield url


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int


@contextmanager
def server(url: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": url,
        "SESSION_SECRET": SECRET,
        "PORT": str(port),
        "LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "server", "serve"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "ready\n" in process.stdout
        try:
            yield Server(process.pid, port)
        finally:
            process.send_signal(signal.SIGINT)


def cookie_of(url: str, user_id: int) -> str:
    """A session of that person, as the server would have made it."""
    sid = f"bench-{user_id}"
    sess = json.dumps({"cookie": {"expires": None}, "passport": {"user": user_id}})
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into user_session (sid, sess, expire) values (%s, %s, now() + '30 days') "
            "on conflict do nothing",
            [sid, sess],
        )
    return f"{COOKIE}={signed(sid, SECRET)}"


def run_load(spec: Mapping[str, Any]) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=orjson.dumps(spec),
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(orjson.loads(finished.stdout))


def cpu_seconds(pid: int) -> float:
    """Of a process since it started, by the operating system's account."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def postgres_cpu_seconds(url: str) -> float:
    """Of the postmaster's children that live: pools keep their backends over a measurement."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        parent = int(Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()[1])
        own = cpu_seconds(row[0])
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum(cpu_seconds(int(child)) for child in children if _is_alive(child)) - own


def _is_alive(pid: str) -> bool:
    return Path(f"/proc/{pid}/stat").exists()


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU in milliseconds per request."""

    requests: int
    per_second: float
    p50: float
    p99: float
    server_cpu: float
    postgres_cpu: float
    refused: int
    failed: int


def measure(url: str, servers: Sequence[Server], spec: Mapping[str, Any]) -> Measured:
    before = [cpu_seconds(s.pid) for s in servers]
    postgres_before = postgres_cpu_seconds(url)
    loaded = run_load({**spec, "ports": [s.port for s in servers]})
    postgres_used = postgres_cpu_seconds(url) - postgres_before
    used = sum(cpu_seconds(s.pid) - b for s, b in zip(servers, before, strict=True))
    seconds = loaded["seconds"]
    count = len(seconds)
    return Measured(
        requests=count,
        per_second=round(count / loaded["elapsed"], 1),
        p50=round(seconds[count // 2] * 1000, 1),
        p99=round(seconds[int(count * 0.99)] * 1000, 1),
        server_cpu=round(used / count * 1000, 3),
        postgres_cpu=round(postgres_used / count * 1000, 3),
        refused=loaded["refused"],
        failed=loaded["failed"],
    )


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    print(f"\n{title}")
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    print("  ".join(name.rjust(width) for name, width in widths.items()))
    for row in rows:
        print("  ".join(str(row[name]).rjust(width) for name, width in widths.items()))


def save(name: str, result: Any) -> None:
    RESULTS.mkdir(exist_ok=True)
    stamped = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "result": result}
    (RESULTS / f"{name}.json").write_bytes(orjson.dumps(stamped, option=orjson.OPT_INDENT_2))
