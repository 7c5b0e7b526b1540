"""What Prometheus gets to see: over real HTTP, from servers and workers, and nothing secret."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from graphql import parse
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import make_url

from models.database import Database
from schema.documents import root_field
from server.errors import StartError
from server.ledger_worker import check_ledger
from server.metrics import MOST_COUNTED, metrics_served
from services.settings import Settings, load_settings
from tests.api import SEND
from tests.conftest import SECRET
from tests.servers import Running, ended, eventually, free_port, run, served, started
from tests.world import SETTINGS, make_team, rows, value

PREFIX = "spoke_credits_"
Metrics = dict[tuple[str, ...], float]


def scrape(port: int) -> str:
    response = httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=20)
    assert response.status_code == 200
    return response.text


def metrics(port: int) -> Metrics:
    """Ours, by name without the prefix and labels in the order of their names."""
    return {
        (sample.name.removeprefix(PREFIX), *(v for _, v in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(scrape(port))
        for sample in family.samples
        if sample.name.startswith(PREFIX)
    }


@pytest.fixture
def running(demo_url: str) -> Iterator[tuple[Running, int]]:
    """A server and its port for metrics."""
    port = free_port()
    with served(DATABASE_URL=demo_url, SESSION_SECRET=SECRET, METRICS_PORT=str(port)) as running:
        yield running, port


def ask(running: Running, query: str, **more: Any) -> None:
    running.client.post("/graphql", json={"query": query, **more})


def send(running: Running, contact_id: int, key: str | None = None) -> None:
    message = {"text": "Hi, and goodbye!", "assignmentId": "1"}
    ask(running, SEND, variables={"id": str(contact_id), "m": message, "k": key})


def test_a_server_counts_its_requests_and_sends(running: tuple[Running, int]) -> None:
    server, port = running
    server.client.get("/healthz")
    server.client.get("/no/such/path")
    ask(server, "{ currentUser { id } }", operationName=None)
    ask(server, "query Any($a: Int) { me: currentUser { id } __typename }")
    ask(server, '{ team(id: "1") { id } }')
    ask(server, '{ a: team(id: "1") { id } b: currentUser { id } }')
    ask(server, "{ __schema { queryType { name } } }")
    ask(server, "{ nonsense }")
    ask(server, "{")
    server.client.post("/graphql", content=b"nonsense")
    server.sign_in("texter@example.org")
    for contact_id in (1, 1, *range(2, 28)):
        send(server, contact_id, key=f"key {contact_id}")
    found = metrics(port)
    requests = {k[1:]: n for k, n in found.items() if k[0] == "request_duration_seconds_count"}
    assert requests == {
        ("200", "healthz"): 1,
        ("NOT_FOUND", "none"): 1,
        ("200", "currentUser"): 1,
        ("GRAPHQL_VALIDATION_FAILED", "graphql"): 2,
        ("UNAUTHENTICATED", "team"): 1,
        ("UNAUTHENTICATED", "several"): 1,
        ("200", "introspection"): 1,
        ("GRAPHQL_PARSE_FAILED", "graphql"): 1,
        ("UNSUPPORTED_MEDIA_TYPE", "graphql"): 1,
        ("302", "login_callback"): 1,
        ("200", "sendMessage"): 26,
        ("INSUFFICIENT_CREDITS", "sendMessage"): 2,
    }
    assert found["sends_total", "ACCEPTED"] == 25
    assert found["sends_total", "REPEATED"] == 1
    assert found["sends_total", "INSUFFICIENT_CREDITS"] == 2
    # Those two met the open exhaustion.
    assert found["send_batch_size_count",] == found["send_batch_size_sum",] == 25
    seconds = found["request_duration_seconds_sum", "200", "sendMessage"]
    assert 0 < seconds < 60
    [build] = [labels for (name, *labels) in found if name == "build_info"]
    assert len(build) == 3
    assert ("database_up",) not in found


def test_clients_choose_no_labels_and_see_nothing_of_others(running: tuple[Running, int]) -> None:
    server, port = running
    server.sign_in("texter@example.org")
    send(server, 1)
    for n in range(3):
        ask(server, f"query Q{n} {{ x{n}: currentUser {{ id }} }}", operationName=f"Q{n}")
        server.client.get(f"/path-{n}", headers={"x-request-id": f"id-{n}"})
    before = len(metrics(port))
    for n in range(3, 60):
        ask(server, f"query Q{n} {{ x{n}: currentUser {{ id }} }}", operationName=f"Q{n}")
        server.client.get(f"/path-{n}", headers={"x-request-id": f"id-{n}"})
    assert len(metrics(port)) == before
    shown = scrape(port)
    for secret in (SECRET, "example.org", "+1202", "goodbye", "Q5", "path-5", "postgresql://"):
        assert secret not in shown, secret


def test_no_port_no_metrics(demo_url: str) -> None:
    with served(DATABASE_URL=demo_url, SESSION_SECRET=SECRET) as running:
        assert running.client.get("/metrics").status_code == 404


def test_a_taken_port_stops_the_start(demo_url: str) -> None:
    port = free_port()
    with served(port=port, DATABASE_URL=demo_url, SESSION_SECRET=SECRET):
        for command in ("worker", "serve"):
            result = run(
                command,
                DATABASE_URL=demo_url,
                SESSION_SECRET=SECRET,
                PORT=str(free_port()),
                METRICS_PORT=str(port),
            )
            assert result.returncode == 1, result.stderr
            assert "set METRICS_HOST or METRICS_PORT" in result.stderr


def test_a_worker_shows_what_the_database_says(demo_url: str) -> None:
    """In a process of its own, which checks the books as soon as it starts."""
    port = free_port()
    with started(
        "worker",
        DATABASE_URL=demo_url,
        SESSION_SECRET=SECRET,
        METRICS_PORT=str(port),
        LOG_LEVEL="ERROR",
    ) as process:

        def has_checked() -> bool:
            try:
                return ("ledger_check_timestamp_seconds",) in metrics(port)
            except httpx2.ConnectError:
                return False

        assert eventually(has_checked, 60)
        found = metrics(port)
        assert found["database_up",] == 1
        assert found["ledger_drifting_teams",] == 0
        assert found["unknown_texts",] == 0
        process.terminate()
        assert ended(process) == 0


@pytest.fixture
def port(database_url: str) -> Iterator[int]:
    """Of metrics that read the database."""
    port = free_port()
    with metrics_served(load_settings(metrics_port=port), url=database_url):
        yield port


QUEUE = """
insert into outbound_text (message_id, team_id, user_id, contact_id, state, created_at,
  lease_until, unknown_because)
select %(first)s + n, 1, 1, 1, %(state)s, now() - %(late)s::interval, now(),
  case %(state)s when 'UNKNOWN' then 'x' end
from generate_series(1, %(times)s) n
"""
NOTICE = """
insert into credit_notice (occasion, occasion_id, team_id, address, state, created_at)
values ('EXHAUSTED', %(id)s, %(team)s, 'a@example.org', %(state)s, now() - %(age)s::interval)
"""


async def queue(database: Database, state: str, times: int, late: int = 0) -> None:
    first = await value(database, "select coalesce(max(message_id), 0) from outbound_text")
    late_for = timedelta(seconds=late)
    await rows(database, QUEUE, first=first, state=state, times=times, late=late_for)


async def test_queues_are_told(database: Database, port: int) -> None:
    found = await asyncio.to_thread(metrics, port)
    assert (found["queued_texts",], found["queue_lag_seconds",]) == (0, 0)
    await queue(database, "DONE", 20, late=9999)
    await queue(database, "QUEUED", 3, late=5)
    await queue(database, "QUEUED", 1, late=90)
    await queue(database, "SENDING", 7, late=9999)
    await queue(database, "UNKNOWN", 2, late=9999)
    found = await asyncio.to_thread(metrics, port)
    assert found["queued_texts",] == 4
    assert 90 <= found["queue_lag_seconds",] < 150
    assert found["unknown_texts",] == 2


async def test_texts_that_are_tried_again_and_again_still_wait(
    database: Database, port: int
) -> None:
    """Each attempt makes them due later."""
    await queue(database, "QUEUED", 2, late=90)
    await rows(database, "update outbound_text set due_at = now() + interval '5 minutes'")
    found = await asyncio.to_thread(metrics, port)
    assert found["queued_texts",] == 2
    assert 90 <= found["queue_lag_seconds",] < 150


async def test_mails_and_estimates_are_told(database: Database, port: int) -> None:
    team = await make_team(database)
    states = [
        ("QUEUED", 0), ("SENDING", 50), ("SENT", 0),
        ("FAILED", 0), ("FAILED", 23), ("FAILED", 25), ("UNKNOWN", 1),
    ]  # fmt: skip
    for number, (state, hours) in enumerate(states):
        age = timedelta(hours=hours)
        await rows(database, NOTICE, id=number, team=team.id, state=state, age=age)
    wish = "insert into campaign_estimate (campaign_id, requested_at) values (%(campaign)s, now())"
    await rows(database, wish, **team.names)
    found = await asyncio.to_thread(metrics, port)
    assert found["waiting_mails",] == 2
    assert {name[1]: n for name, n in found.items() if name[0] == "failed_mails"} == {
        "FAILED": 2,
        "UNKNOWN": 1,
        "BOUNCED": 0,
        "DROPPED": 0,
    }
    assert found["wanted_estimates",] == 1


async def test_a_scrape_looks_through_no_table(database: Database, port: int) -> None:
    """However many texts there were."""
    team = await make_team(database)
    await queue(database, "DONE", 20_000)
    await queue(database, "QUEUED", 5)
    await queue(database, "UNKNOWN", 5)
    await rows(
        database,
        "insert into credit_notice (occasion, occasion_id, team_id, address, state)"
        " select 'EXHAUSTED', n, %(team)s, 'a@example.org', 'SENT' from generate_series(1, 5000) n",
        team=team.id,
    )
    await rows(database, "vacuum analyze")
    scans = (
        "select relname, seq_scan from pg_stat_user_tables"
        " where relname in ('outbound_text', 'credit_notice') order by relname"
    )
    await rows(database, "select pg_stat_force_next_flush()")
    before = await rows(database, scans)
    assert (await asyncio.to_thread(metrics, port))["queued_texts",] == 5
    await asyncio.sleep(0)
    assert await rows(database, scans) == before
    assert MOST_COUNTED == 100_000


async def test_a_database_that_is_gone_is_told(
    database: Database, port: int, database_url: str, postgres: str
) -> None:
    name = make_url(database_url).database
    assert (await asyncio.to_thread(metrics, port))["database_up",] == 1
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections false")
    found = await asyncio.to_thread(metrics, port)
    assert found["database_up",] == 0
    assert ("queued_texts",) not in found
    assert ("build_info",) in {key[:1] for key in found}


def test_metrics_end_with_the_block(settings: Settings) -> None:
    port = free_port()
    wanted = settings.model_copy(update={"metrics_port": port})
    for _ in range(2):
        with metrics_served(wanted, url=None):
            scrape(port)
            with pytest.raises(StartError, match="METRICS_PORT"), metrics_served(wanted, url=None):
                pass
        with pytest.raises(httpx2.ConnectError):
            scrape(port)


DOCUMENTS = {
    "{ team(id: 1) { id } }": "team",
    "{ a: team(id: 1) { id } b: team(id: 2) { id } __typename }": "team",
    "{ team(id: 1) { id } teams { teams { id } } }": "several",
    "mutation Name { addCredits(teamId: 1, amount: 1) { id } }": "addCredits",
    "{ ...f } fragment f on RootQuery { ... { team(id: 1) { id } } }": "team",
    "query A { team(id: 1) { id } } query B { teams { teams { id } } }": "several",
    "{ __schema { queryType { name } } __typename }": "introspection",
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_are_known_by_their_root_field(document: str) -> None:
    assert root_field(parse(document)) == DOCUMENTS[document]


async def test_the_last_check_of_the_books_is_told(database: Database, port: int) -> None:
    found = await asyncio.to_thread(metrics, port)
    assert ("ledger_drifting_teams",) not in found
    await make_team(database, credits=100)
    await rows(database, "update credit_account set balance = 99")
    await check_ledger(database, SETTINGS)
    found = await asyncio.to_thread(metrics, port)
    assert found["ledger_drifting_teams",] == 1
    assert found["ledger_check_timestamp_seconds",] > 1.7e9
