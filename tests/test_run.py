"""`serve` as a newcomer starts it: on an embedded database, through Ctrl-C and kill -9."""

import os
import signal
from pathlib import Path

import pytest

from server.demo import EMAILS
from tests.api import ADD
from tests.servers import ended, ends, eventually, postgres_pid, served

pytestmark = pytest.mark.long


def test_a_first_start_is_complete_and_ctrl_c_ends_everything(folder: Path) -> None:
    with served("--worker", SPOKE_DATA_DIR=str(folder)) as running:
        assert any(line.startswith("Spoke Credits is at http") for line in running.announced)
        assert [line.strip() for line in running.announced[-8:-1]] == EMAILS
        assert running.client.get("/healthz").text == "ok"
        assert running.client.get("/readyz").json() == {"ready": True, "reason": None}
        running.sign_in("texter@example.org")
        postgres = postgres_pid(folder)
        assert running.process.pid
        os.killpg(running.process.pid, signal.SIGINT)
        assert ended(running.process) == 0
        assert ends(postgres)


def test_sigterm_ends_everything_in_order(folder: Path) -> None:
    """As systemd and containers stop it: the worker too comes to its end."""
    with served("--worker", SPOKE_DATA_DIR=str(folder), LOG_LEVEL="INFO") as running:
        postgres = postgres_pid(folder)
        running.process.terminate()
        assert ended(running.process) == 0
        assert ends(postgres)


def test_kill_9_leaves_no_postgres_behind_and_loses_nothing(folder: Path) -> None:
    with served("--worker", SPOKE_DATA_DIR=str(folder)) as running:
        running.sign_in("superadmin@example.org")
        add = {"query": ADD, "variables": {"t": "1", "n": 500, "k": "before the plug was pulled"}}
        first = running.client.post("/graphql", json=add).json()["data"]["addCredits"]
        postgres = postgres_pid(folder)
        running.process.kill()
        assert ends(postgres)
    with served("--worker", SPOKE_DATA_DIR=str(folder)) as running:
        running.sign_in("superadmin@example.org")
        again = running.client.post("/graphql", json=add).json()["data"]["addCredits"]
        assert again == first


def test_a_killed_postgres_comes_back_while_the_server_goes_on(folder: Path) -> None:
    with served("--worker", SPOKE_DATA_DIR=str(folder)) as running:
        running.sign_in("texter@example.org")
        killed = postgres_pid(folder)
        os.kill(killed, signal.SIGKILL)
        assert running.client.get("/healthz").status_code == 200
        assert ends(killed)
        query = {"query": "{ currentUser { email } }"}

        def answers() -> bool:
            body = running.client.post("/graphql", json=query, timeout=60).json()
            return bool(body == {"data": {"currentUser": {"email": "texter@example.org"}}})

        assert eventually(answers, 60)
        assert running.client.get("/readyz").status_code == 200
