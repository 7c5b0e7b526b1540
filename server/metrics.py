"""GET /metrics for Prometheus, on a port of its own: what this process counted, and beside a worker
what the database says of all of them."""

import platform
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIServer

import psycopg
import structlog
from prometheus_client import (
    REGISTRY,
    Info,
    Metric,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg.rows import DictRow, dict_row

from models.migrations import heads
from server.errors import StartError
from services.settings import Settings

log = structlog.get_logger("metrics")

MOST_COUNTED = 100_000
"""Beyond which nobody counts on: a scrape must stay cheap."""
SECONDS_TO_ANSWER = 5
FAILURES = ("FAILED", "UNKNOWN", "BOUNCED", "DROPPED")
GAUGES = {
    "queued_texts": f"Texts that wait for their provider; counted up to {MOST_COUNTED:,}.",
    "queue_lag_seconds": "For how long the oldest of them has been waiting.",
    "unknown_texts": "Texts of which nobody knows whether a provider took them.",
    "waiting_mails": "Notices that are still to be mailed.",
    "wanted_estimates": "Campaigns that wait to be counted.",
    "ledger_drifting_teams": "Teams whose balance was not what their ledger says.",
    "ledger_check_timestamp_seconds": "When the books were checked the last time.",
}
"""The columns of _READ, but for the mails that failed."""

_BUILD = Info("spoke_credits_build", "What is running.")


@contextmanager
def metrics_served(settings: Settings, *, url: str | None) -> Iterator[None]:
    """Where METRICS_PORT says, if it does. `url`: of the database to be read, where a worker runs.
    Raises StartError."""
    if settings.metrics_port is None:
        yield
        return
    disable_created_metrics()  # type: ignore[no-untyped-call]  # each would double its series
    _BUILD.info(
        {"version": _version(), "python": platform.python_version(), "tables": heads()["credits"]}
    )
    server, thread = _start(settings.metrics_host, settings.metrics_port)
    gauges = DatabaseGauges(url) if url else None
    if gauges:
        REGISTRY.register(gauges)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        if gauges:
            REGISTRY.unregister(gauges)


def _start(host: str, port: int) -> tuple[WSGIServer, Thread]:
    try:
        return start_http_server(port, addr=host)
    except OSError as error:
        raise StartError(
            f"Can't serve metrics on {host}:{port} ({error.strerror}): set METRICS_HOST or "
            "METRICS_PORT."
        ) from None


class DatabaseGauges(Collector):
    """On a connection of their own for each scrape, so that they are told even if all others are
    taken. Every worker tells the same: take the maximum, not the sum."""

    def __init__(self, url: str) -> None:
        self._url = url

    def describe(self) -> Iterable[Metric]:
        """Nothing: asked when this is registered, it would be a scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        try:
            row = self._read()
        except psycopg.Error as error:
            log.warning("gauges_not_read", error=type(error).__name__)
            row = None
        yield GaugeMetricFamily(
            "spoke_credits_database_up", "Whether the database answered.", value=row is not None
        )
        if row is not None:
            yield from _families(row)

    def _read(self) -> DictRow:
        with (
            psycopg.connect(
                self._url, connect_timeout=SECONDS_TO_ANSWER, row_factory=dict_row
            ) as connection,
            connection.transaction(),
        ):
            connection.execute(f"set local statement_timeout = '{SECONDS_TO_ANSWER}s'")
            row = connection.execute(_READ).fetchone()
            assert row is not None
            return row


def _families(row: DictRow) -> Iterator[Metric]:
    for name, description in GAUGES.items():
        if row[name] is not None:
            yield GaugeMetricFamily(f"spoke_credits_{name}", description, value=row[name])
    failed = GaugeMetricFamily(
        "spoke_credits_failed_mails",
        "Notices of the last day whose mail didn't arrive, or may not have.",
        labels=["state"],
    )
    for state in FAILURES:
        failed.add_metric([state], (row["failed_mails"] or {}).get(state, 0))
    yield failed


def _version() -> str:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    return str(project["project"]["version"])


# Each by a partial index, and of no more rows than that.
_READ = f"""
select
  queue.queued_texts,
  queue.queue_lag_seconds,
  (
    select count(*) from (
      select from outbound_text where state = 'UNKNOWN' limit {MOST_COUNTED}
    ) in_doubt
  ) as unknown_texts,
  (
    select count(*) from credit_notice where state in ('QUEUED', 'SENDING')
  ) as waiting_mails,
  (
    select jsonb_object_agg(state, notices) from (
      select state, count(*) as notices from credit_notice
      where state in ('FAILED', 'UNKNOWN', 'BOUNCED', 'DROPPED')
        and created_at > now() - interval '1 day'
      group by state
    ) failed
  ) as failed_mails,
  (
    select count(*) from campaign_estimate where requested_at is not null
  ) as wanted_estimates,
  (
    select drifting_teams from ledger_check
  ) as ledger_drifting_teams,
  (
    select extract(epoch from checked_at)::float8 from ledger_check
  ) as ledger_check_timestamp_seconds
from (
  select count(*) as queued_texts,
    greatest(0, extract(epoch from now() - min(created_at)))::float8 as queue_lag_seconds
  from (
    select created_at from outbound_text where state = 'QUEUED'
    order by due_at limit {MOST_COUNTED}
  ) queued
) queue
"""
