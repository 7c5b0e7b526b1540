"""One worker hands accepted texts to a provider that answers in 5 ms: texts per second, and what a
text costs from the queue to the provider."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench.harness import SECRET, count, cpu_seconds, database, postgres_cpu_seconds
from bench.report import Figure, Outcome
from bench.world import add_contacts, make_world
from tests.servers import free_port
from tests.twilio_twin import ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID
from tests.world import encrypted

TEXTS = 8_000
WARMING = 1_000
"""Handed over before it is measured."""
LATENCY_SECONDS = 0.005
REACH = 500
"""Texts a second."""
_SERVICE = """
insert into messaging_service (messaging_service_sid, organization_id, account_sid,
  encrypted_auth_token, service_type)
values (%s, 1, %s, %s, 'twilio')
"""
_QUEUE = """
with text as (
  insert into message (campaign_contact_id, assignment_id, user_id, contact_number,
    is_from_contact, text, service, send_status, send_before, num_segments, num_media)
  select id, 1, 2, cell, false, 'Hi ' || id || ', will you come?', %(service)s, 'SENDING',
    now() + interval '1 hour', 1, 0
  from campaign_contact where id between %(first)s and %(last)s
  returning id, campaign_contact_id
)
insert into outbound_text (message_id, team_id, user_id, contact_id, messaging_service_sid)
select id, 1, 2, campaign_contact_id, %(sid)s from text
"""
_LEFT = "select count(*) from outbound_text where state = 'QUEUED'"


def run() -> Outcome:
    rows: list[dict[str, Any]] = []
    with _twin() as twin:
        for service in ("twilio", "fakeservice"):
            with database() as url:
                _queue(url, service)
                rows.append({"provider": service, **_measured(url, twin)})
    figure = Figure(
        "texts handed over in a second", rows[0]["per_second"], REACH, "", is_least=True
    )
    return Outcome({"One worker (CPU in ms per text)": rows}, [figure])


@contextmanager
def _twin() -> Iterator[str]:
    """The address of Twilio's stand-in, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.twilio_twin", "--port", str(port)]
    options = ["--latency-seconds", str(LATENCY_SECONDS), "--default", "silent"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _queue(url: str, service: str) -> None:
    make_world(url)
    contacts = add_contacts(url, TEXTS, 1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_SERVICE, [SERVICE_SID, ACCOUNT_SID, encrypted(AUTH_TOKEN, SECRET)])
        ends = {"first": contacts[0], "last": contacts[-1]}
        connection.execute(_QUEUE, {**ends, "service": service, "sid": SERVICE_SID})
        connection.execute("vacuum analyze")


def _measured(url: str, twin: str) -> dict[str, Any]:
    with _worker(url, twin) as worker:
        _until_left(url, TEXTS - WARMING)
        before, started = count(url, _LEFT), time.monotonic()
        worker_before, postgres_before = cpu_seconds(worker), postgres_cpu_seconds(url)
        left = _until_left(url, WARMING)
        elapsed = time.monotonic() - started
        worker_used = cpu_seconds(worker) - worker_before
        postgres_used = postgres_cpu_seconds(url) - postgres_before
    texts = before - left
    return {
        "texts": texts,
        "per_second": round(texts / elapsed),
        "worker_cpu": round(worker_used / texts * 1000, 3),
        "postgres_cpu": round(postgres_used / texts * 1000, 3),
    }


@contextmanager
def _worker(url: str, twin: str) -> Iterator[int]:
    environment = {
        "DATABASE_URL": url,
        "SESSION_SECRET": SECRET,
        "DEFAULT_SERVICE": "twilio",
        "TWILIO_HOST": twin,
        "TWILIO_TEXTS_PER_SECOND": "10000",
        "LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "server", "worker"], env={**os.environ, **environment}
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _until_left(url: str, texts: int) -> int:
    while (left := count(url, _LEFT)) > texts:
        time.sleep(0.05)
    return left
