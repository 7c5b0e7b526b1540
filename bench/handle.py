"""handleConversation over HTTP to one hot team: a text alone shares its commit with others, a text
with an answer is a transaction of its own."""

from collections.abc import Callable
from dataclasses import asdict

import psycopg

from bench.harness import database, measure, server
from bench.report import Figure, Outcome
from bench.requests import Body, handles, sends
from bench.world import TEXTER, add_contacts, cookies_of, make_world

CLIENTS = (1, 16, 64, 256)
SECONDS = 4
CONTACTS = 5_000 * SECONDS
REACH = 1.25
"""CPU of a text by handleConversation, server and PostgreSQL, in those of one by sendMessage."""
VALUE = "Yes"
_STEP = """
insert into interaction_step (campaign_id, question, script_options, answer_option, is_deleted)
  values (1, 'Will you come?', '{Hi}', '', false) returning id
"""
_OPTION = """
insert into interaction_step
    (campaign_id, question, script_options, answer_option, parent_interaction_id, is_deleted)
  values (1, '', '{Thanks}', %s, %s, false)
"""


def run() -> Outcome:
    rows = []
    found = {}
    with database() as url:
        make_world(url)
        answer = (_add_step(url), VALUE)
        ways: dict[str, Callable[[range], list[Body]]] = {
            "sendMessage": sends,
            "text": handles,
            "text and answer": lambda ids: handles(ids, answer=answer),
        }
        spec = {"cookies": cookies_of(url, TEXTER), "seconds": SECONDS}
        with server(url) as running:
            for clients in CLIENTS:
                for name, made in ways.items():
                    bodies = made(add_contacts(url, CONTACTS, 1))
                    one = measure(url, [running], {**spec, "clients": clients, "bodies": bodies})
                    rows.append({"of": name, "clients": clients, **asdict(one)})
                    found[name, clients] = one.cpu
    ratio = round(found["text", 64] / found["sendMessage", 64], 2)
    figures = [Figure("handleConversation / sendMessage, 64 clients, CPU", ratio, REACH, "x")]
    return Outcome({"handleConversation, one hot team (CPU in ms per request)": rows}, figures)


def _add_step(url: str) -> int:
    """A question that has one answer."""
    with psycopg.connect(url) as connection:
        row = connection.execute(_STEP).fetchone()
        assert row is not None
        connection.execute(_OPTION, [VALUE, row[0]])
    return int(row[0])
