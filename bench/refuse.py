"""A crowd that texts for a team with nothing left: every request is refused, and none writes."""

from dataclasses import asdict

from bench.harness import ask, count, database, measure, server
from bench.report import Figure, Outcome
from bench.requests import sends
from bench.world import TEXTER, add_contacts, cookies_of, make_world

CLIENTS = (64, 256)
POOR = 2
"""The team."""
CONTACTS = 5_000
SECONDS = 4
# Whatever writes or locks a row takes a transaction id.
_NEXT_ID = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


def run() -> Outcome:
    rows, figures = [], []
    with database(autovacuum="off") as url:  # it takes transaction ids of its own
        make_world(url, teams=2, without_credits=1)
        cookies = cookies_of(url, TEXTER)
        bodies = sends(add_contacts(url, CONTACTS, POOR), assignment_id=POOR)
        spec = {"cookies": cookies, "seconds": SECONDS, "bodies": bodies, "repeat": True}
        with server(url) as running:
            ask(running, cookies[0], bodies[0])  # opens the exhaustion
            before = count(url, _NEXT_ID)
            for clients in CLIENTS:
                found = measure(url, [running], {**spec, "clients": clients})
                assert found.refused == found.requests
                rows.append({"clients": clients, **asdict(found)})
                if clients == CLIENTS[0]:
                    name = f"refused, clients: {clients}, CPU"
                    figures.append(Figure(name, found.cpu, 0.45, "ms"))
            writing = count(url, _NEXT_ID) - before
    figures.append(Figure("refused, transactions that wrote", writing, 0, ""))
    return Outcome({"sendMessage, nothing left (CPU in ms per request)": rows}, figures)
