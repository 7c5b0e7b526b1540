"""What a send and the Credits page cost when 10 million texts have been sent, against 10 thousand.

Both databases are measured in turn, so that what else the machine does meets both. GROWTH_TEXTS in
the environment asks for fewer than 10 million.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median

import psycopg

from bench.harness import Server, database, measure, server
from bench.report import Figure, Outcome, Row
from bench.requests import Body, credits_page, sends
from bench.world import SUPERADMIN, TEXTER, add_contacts, cookies_of, make_world

FEW = 10_000
MANY = int(os.environ.get("GROWTH_TEXTS", 10_000_000))
BYTES_PER_TEXT = 2_000
"""On disk, with its entry, queue row, indexes and log."""
TEAMS = 100
ROUNDS = 3
REACH = 1.15
# No checkpoint falls into a measurement.
SETTINGS = {"max_wal_size": "40GB", "checkpoint_timeout": "1h", "autovacuum": "off"}
_SIZES = """
select relname, pg_total_relation_size(oid), reltuples::bigint from pg_class
where relname in ('message', 'credit_entry', 'outbound_text', 'campaign_contact') order by 2 desc
"""


@dataclass(frozen=True, slots=True)
class Work:
    name: str
    clients: int
    seconds: int
    contacts: int
    """To send to in a round; 0: look at the Credits page."""


WORKS = (
    Work("send, clients: 64", 64, 3, 12_000),
    Work("send, clients: 1", 1, 2, 1_200),
    Work(f"Credits page, {TEAMS} teams", 1, 2, 0),
)


@dataclass(frozen=True, slots=True)
class Grown:
    """A database in which so many `texts` were sent, and its server."""

    texts: int
    url: str
    running: Server
    found: dict[str, list[Row]] = field(default_factory=lambda: {work.name: [] for work in WORKS})

    def measure(self, work: Work) -> None:
        who = TEXTER if work.contacts else SUPERADMIN
        spec = {"cookies": cookies_of(self.url, who), "clients": work.clients}
        spec |= {"seconds": work.seconds, "bodies": self._bodies(work), "repeat": not work.contacts}
        found = measure(self.url, [self.running], spec)
        self.found[work.name].append({**asdict(found), "cpu": found.cpu})

    def _bodies(self, work: Work) -> list[Body]:
        if not work.contacts:
            return [credits_page(TEAMS)]
        return sends(add_contacts(self.url, work.contacts, 1))

    def row(self, work: Work) -> Row:
        """The medians of all rounds."""
        figures = ("per_second", "p50", "p99", "server_cpu", "postgres_cpu", "cpu")
        found = self.found[work.name]
        medians = {name: round(median(row[name] for row in found), 3) for name in figures}
        return {"work": work.name, "texts_before": self.texts, **medians}


def run() -> Outcome:
    started = time.monotonic()
    with _grown(FEW) as small, _grown(_that_fit(MANY)) as big:
        loading = {"texts": big.texts, "seconds": round(time.monotonic() - started)}
        disk = _disk(big)
        for work in WORKS * ROUNDS:
            for one in (small, big):
                one.measure(work)
    return Outcome(
        {
            "Loading": [loading],
            "Disk, indexes included": disk,
            f"Growth (CPU in ms per request, medians of {ROUNDS} rounds)": [
                one.row(work) for work in WORKS for one in (small, big)
            ],
        },
        [_figure(work, small, big) for work in WORKS],
    )


@contextmanager
def _grown(texts: int) -> Iterator[Grown]:
    with database(**SETTINGS) as url:
        make_world(url, teams=TEAMS, texts=texts)
        with server(url) as running:
            yield Grown(texts, url, running)


def _disk(grown: Grown) -> list[Row]:
    with psycopg.connect(grown.url) as connection:
        found = connection.execute(_SIZES).fetchall()
    return [
        {"table": name, "bytes_per_text": round(size / grown.texts, 1), "rows": rows}
        for name, size, rows in found
    ]


def _that_fit(texts: int) -> int:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return min(texts, free // BYTES_PER_TEXT // FEW * FEW)


def _figure(work: Work, small: Grown, big: Grown) -> Figure:
    ratio = big.row(work)["cpu"] / small.row(work)["cpu"]
    name = f"{work.name}, {big.texts:,} / {small.texts:,} texts, CPU"
    return Figure(name, round(ratio, 2), REACH, "x")
