"""One, two and four server processes on one database and one hot team, and whether the books are
exact afterwards: a team that has less than is demanded must send exactly what it has."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict

from bench.harness import Measured, Server, database, measure, server
from bench.report import Figure, Outcome
from bench.requests import sends
from bench.world import TEXTER, add_contacts, buy_credits, cookies_of, make_world, verified

PROCESSES = (1, 2, 4)
CLIENTS = 64
SECONDS = 4
MOST_PER_SECOND = 6_000
ALLOTTED, DEMANDED = 3_000, 4_000
RICH, POOR = 1, 2
"""Teams."""


def run() -> Outcome:
    rows = []
    with database() as url, ExitStack() as stack:
        make_world(url, teams=2, without_credits=1)
        buy_credits(url, POOR, ALLOTTED)
        servers = [stack.enter_context(server(url)) for _ in range(PROCESSES[-1])]
        for processes in PROCESSES:
            texts = MOST_PER_SECOND * SECONDS
            found = _measured(url, servers[:processes], RICH, texts, SECONDS)
            rows.append({"processes": processes, "allotted": "plenty", **asdict(found)})
        found = _measured(url, servers, POOR, DEMANDED, 60)
        rows.append({"processes": len(servers), "allotted": ALLOTTED, **asdict(found)})
        drifts = verified(url).drifts
    accepted = found.requests - found.refused
    return Outcome(
        {f"sendMessage, {CLIENTS} clients (CPU in ms per request)": rows},
        [
            Figure("4 processes, texts off what is allotted", abs(accepted - ALLOTTED), 0, ""),
            Figure("4 processes, teams with drift", len(drifts), 0, ""),
        ],
    )


def _measured(
    url: str, servers: Sequence[Server], team_id: int, texts: int, seconds: float
) -> Measured:
    """Until so many texts are demanded, or so long."""
    bodies = sends(add_contacts(url, texts, team_id), assignment_id=team_id)
    spec = {"cookies": cookies_of(url, TEXTER), "clients": CLIENTS, "seconds": seconds}
    return measure(url, servers, {**spec, "bodies": bodies})
