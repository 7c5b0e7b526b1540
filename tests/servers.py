"""Processes of one's own that do what `python -m server` does."""

import gc
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx2

from server.cli import main
from server.demo import PASSWORD


@dataclass
class Running:
    process: BaseProcess
    announced: list[str]
    port: int
    client: httpx2.Client

    def sign_in(self, email: str) -> None:
        response = self.client.post("/login-callback", json={"email": email, "password": PASSWORD})
        assert response.status_code == 302, response.text


@contextmanager
def served(
    *arguments: str, port: int | None = None, errors: Path | None = None, **environment: str
) -> Iterator[Running]:
    """`serve` with these arguments, once it has said that it is ready. Killed at the end."""
    port = port or free_port()
    environment = {"PORT": str(port), "LOG_LEVEL": "WARNING", **environment}
    with (
        NamedTemporaryFile("r") as out,
        started("serve", *arguments, out=out.name, errors=errors, **environment) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        announced: list[str] = []

        def has_ended_or_is_ready() -> bool:
            has_ended = process.exitcode is not None
            announced[:] = Path(out.name).read_text().splitlines()
            return has_ended or announced[-1:] == ["ready"]

        assert eventually(has_ended_or_is_ready, 60), announced
        assert announced[-1:] == ["ready"], f"the server has not become ready: {announced}"
        yield Running(process, announced, port, client)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Any other command, to its end."""
    with NamedTemporaryFile("r") as out, NamedTemporaryFile("r") as errors:
        with started(*arguments, out=out.name, errors=errors.name, **environment) as process:
            code = ended(process, 60)
            assert code is not None, f"{arguments} has not ended: {errors.read()}"
        return subprocess.CompletedProcess(arguments, code, out.read(), errors.read())


@contextmanager
def started(
    *arguments: str,
    out: str | Path | None = None,
    errors: str | Path | None = None,
    **environment: str,
) -> Iterator[BaseProcess]:
    """Any command, with files for what it writes. Killed at the end."""
    files = {stream: path for stream, path in ((1, out), (2, errors)) if path}
    process = _FORKS.Process(target=_command, args=(arguments, inherited() | environment, files))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def ended(process: BaseProcess, seconds: float = 20) -> int | None:
    """Waits for it. Its exit code; None if it still runs then."""
    process.join(seconds)
    return process.exitcode


def _command(
    arguments: Sequence[str], environment: Mapping[str, str], files: Mapping[int, str | Path]
) -> None:
    """What `python -m server` does, in a process and a session of its own."""
    gc.freeze()  # looking through what the copy was born with would be to make it its own
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in files.items():
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    sys.argv = ["server", *arguments]
    main()


# Each process is a copy of one that has but imported, which takes longer than most commands.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [__name__, "server.serve", "models.migrations", "alembic.command", "schema.build"]
)


def inherited() -> dict[str, str]:
    """Nobody's settings: what a process needs in order to run at all."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def postgres_pid(folder: Path) -> int:
    """Of the server of the embedded database in `folder`."""
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ends(pid: int) -> bool:
    """Waits for it."""
    return eventually(lambda: not is_running(pid))


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
