"""`serve` as a newcomer starts it: on an embedded database, through Ctrl-C and kill -9."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from server.demo import EMAILS, PASSWORD
from tests.api import ADD

pytestmark = pytest.mark.long


@dataclass
class Running:
    process: subprocess.Popen[str]
    announced: list[str]
    client: httpx2.Client

    def sign_in(self, email: str) -> None:
        response = self.client.post("/login-callback", json={"email": email, "password": PASSWORD})
        assert response.status_code == 302, response.text


@contextmanager
def served(folder: Path) -> Iterator[Running]:
    """A server on the embedded database in `folder`, once it has said that it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "server", "serve", "--worker"],
        env={**kept, "SPOKE_DATA_DIR": str(folder), "PORT": str(port), "LOG_LEVEL": "WARNING"},
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
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
                yield Running(process, announced, client)
        finally:
            process.kill()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can enter, unlike pytest's, whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="spoke-credits-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


def postgres_pid(folder: Path) -> int:
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_first_start_is_complete_and_ctrl_c_ends_everything(folder: Path) -> None:
    with served(folder) as running:
        assert any(line.startswith("Spoke Credits is at http") for line in running.announced)
        assert [line.strip() for line in running.announced[-8:-1]] == EMAILS
        assert running.client.get("/healthz").text == "ok"
        assert running.client.get("/readyz").json() == {"ready": True, "reason": None}
        running.sign_in("texter@example.org")
        postgres = postgres_pid(folder)
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(20) == 0
        assert eventually(lambda: not is_running(postgres))


def test_kill_9_leaves_no_postgres_behind_and_loses_nothing(folder: Path) -> None:
    with served(folder) as running:
        running.sign_in("superadmin@example.org")
        add = {"query": ADD, "variables": {"t": "1", "n": 500, "k": "before the plug was pulled"}}
        first = running.client.post("/graphql", json=add).json()["data"]["addCredits"]
        postgres = postgres_pid(folder)
        running.process.kill()
        assert eventually(lambda: not is_running(postgres))
    with served(folder) as running:
        running.sign_in("superadmin@example.org")
        again = running.client.post("/graphql", json=add).json()["data"]["addCredits"]
        assert again == first


def test_a_killed_postgres_comes_back_while_the_server_goes_on(folder: Path) -> None:
    with served(folder) as running:
        running.sign_in("texter@example.org")
        killed = postgres_pid(folder)
        os.kill(killed, signal.SIGKILL)
        assert running.client.get("/healthz").status_code == 200
        assert eventually(lambda: not is_running(killed))
        query = {"query": "{ currentUser { email } }"}

        def answers() -> bool:
            body = running.client.post("/graphql", json=query, timeout=60).json()
            return bool(body == {"data": {"currentUser": {"email": "texter@example.org"}}})

        assert eventually(answers, 60)
        assert running.client.get("/readyz").status_code == 200
