"""Server processes of one's own, started as an operator starts them."""

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx2

from server.cli import main
from server.demo import PASSWORD


@dataclass
class Running:
    process: subprocess.Popen[str]
    announced: list[str]
    port: int
    client: httpx2.Client

    def sign_in(self, email: str) -> None:
        response = self.client.post("/login-callback", json={"email": email, "password": PASSWORD})
        assert response.status_code == 302, response.text


@contextmanager
def served(*arguments: str, port: int | None = None, **environment: str) -> Iterator[Running]:
    """`serve` with these arguments, once it has said that it is ready. Killed at the end."""
    port = port or free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "server", "serve", *arguments],
        env={**inherited(), "PORT": str(port), "LOG_LEVEL": "WARNING", **environment},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        announced = []
        for line in process.stdout:
            announced.append(line.rstrip())
            if announced[-1] == "ready":
                break
        else:
            raise AssertionError(f"the server has not become ready: {announced}")
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
                yield Running(process, announced, port, client)
        finally:
            process.kill()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Any other command, to its end."""
    with NamedTemporaryFile("r") as out, NamedTemporaryFile("r") as errors:
        environment = {**inherited(), **environment}
        process = _FORKS.Process(
            target=_command, args=(arguments, environment, out.name, errors.name)
        )
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"{arguments} has not ended: {errors.read()}")
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read(), errors.read())


def _command(
    arguments: Sequence[str], environment: Mapping[str, str], out: str, errors: str
) -> None:
    """What `python -m server` does, in a process of its own."""
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in ((1, out), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY), stream)
    sys.argv = ["server", *arguments]
    main()


# Each process is a copy of one that has but imported, which takes longer than most commands.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["server.cli", "models.migrations", "alembic.command"])


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
