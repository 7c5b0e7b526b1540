"""sendMessage over HTTP with and without the guard of the table message, in turns; and what the
guard costs a text of Spoke's own."""

import time
from collections import defaultdict
from dataclasses import asdict
from statistics import median

import psycopg

from bench.harness import database, measure, postgres_cpu_seconds, server
from bench.report import Figure, Outcome, Row
from bench.requests import sends
from bench.world import TEXTER, add_contacts, cookies_of, in_transaction, make_world
from services.credit_guard import install_guard, remove_guard
from services.settings import load_settings

REACH = 1.03
"""CPU of a text, server and PostgreSQL, in those of one without the guard."""
CLIENTS = (1, 64)
ROUNDS = 5
SECONDS = 3
CONTACTS = 4_000 * SECONDS
SPOKES = 2_000
_BY_SPOKE = """
insert into message (campaign_contact_id, assignment_id, user_id, contact_number, is_from_contact,
  text, service, send_status)
values (%s, 1, 2, '+12025550123', false, 'Hi, will you come on Saturday?', 'twilio', 'QUEUED')
"""
_MIDDLES = ("server_cpu", "postgres_cpu", "p50", "p99")


def run() -> Outcome:
    rows: list[Row] = []
    figures = []
    with database() as url:
        make_world(url)
        with server(url) as running:
            spec = {"cookies": cookies_of(url, TEXTER), "seconds": SECONDS}
            for clients in CLIENTS:
                found = defaultdict(list)
                for turn in range(2 * ROUNDS + 2):
                    guarded = bool(turn % 2)
                    _switch(url, guarded=guarded)
                    bodies = sends(add_contacts(url, CONTACTS, 1))
                    one = measure(url, [running], {**spec, "clients": clients, "bodies": bodies})
                    if turn > 1:  # the first two warm everything up
                        found[guarded].append(one)
                for guarded, measured in found.items():
                    middles = {
                        name: round(median(asdict(m)[name] for m in measured), 3)
                        for name in _MIDDLES
                    }
                    rows.append({"clients": clients, "guard": guarded, **middles})
                cpu = [median(m.cpu for m in found[guarded]) for guarded in (True, False)]
                name = f"send with / without the guard, clients: {clients}, CPU"
                figures.append(Figure(name, round(cpu[0] / cpu[1], 3), REACH, "x"))
        spokes = [_spokes_texts(url, guarded=guarded) for guarded in (False, True)]
    return Outcome(
        {
            f"sendMessage, the middle of {ROUNDS} turns (CPU in ms per request)": rows,
            "A text of Spoke's own, alone (ms)": spokes,
        },
        figures,
    )


def _switch(url: str, *, guarded: bool) -> None:
    settings = load_settings()
    change = install_guard if guarded else remove_guard
    in_transaction(url, lambda session: change(session, settings))


def _spokes_texts(url: str, *, guarded: bool) -> Row:
    _switch(url, guarded=guarded)
    ids = add_contacts(url, SPOKES, 1)
    with psycopg.connect(url, autocommit=True) as connection:
        cpu_before, started = postgres_cpu_seconds(url), time.perf_counter()
        for contact_id in ids:
            connection.execute(_BY_SPOKE, [contact_id], prepare=True)
        elapsed = time.perf_counter() - started
        cpu = postgres_cpu_seconds(url) - cpu_before
    return {
        "guard": guarded,
        "texts": SPOKES,
        "elapsed": round(elapsed / SPOKES * 1000, 3),
        "postgres_cpu": round(cpu / SPOKES * 1000, 3),
    }
