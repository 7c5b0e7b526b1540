"""sendMessage over HTTP to one hot team with credits on and enough left."""

from dataclasses import asdict

from bench.harness import count, database, measure, server
from bench.report import Figure, Outcome
from bench.requests import sends
from bench.world import TEXTER, add_contacts, cookies_of, make_world

REACHES = {1: 2.5, 16: 0.8, 64: 0.6}
"""Milliseconds of CPU per request, server and PostgreSQL, by clients."""
P99_REACH = 250
CLIENTS = (1, 16, 64, 256)
SECONDS = 5
CONTACTS = 5_000 * SECONDS
"""More than can be texted in that time."""
_TRANSACTIONS = "select count(distinct xmin::text) from message"


def run() -> Outcome:
    rows, figures = [], []
    with database() as url:
        make_world(url)
        spec = {"cookies": cookies_of(url, TEXTER), "seconds": SECONDS}
        with server(url) as running:
            warming = sends(add_contacts(url, 1_000, 1))
            measure(url, [running], {**spec, "clients": 4, "bodies": warming})
            for clients in CLIENTS:
                bodies = sends(add_contacts(url, CONTACTS, 1))
                before = count(url, _TRANSACTIONS)
                found = measure(url, [running], {**spec, "clients": clients, "bodies": bodies})
                batch = round(found.requests / (count(url, _TRANSACTIONS) - before), 1)
                rows.append({"clients": clients, **asdict(found), "texts_per_batch": batch})
                if clients in REACHES:
                    name = f"send, clients: {clients}, CPU"
                    figures.append(Figure(name, found.cpu, REACHES[clients], "ms"))
    figures.append(Figure(f"send, clients: {CLIENTS[-1]}, p99", found.p99, P99_REACH, "ms"))
    return Outcome({"sendMessage, one hot team (CPU in ms per request)": rows}, figures)
