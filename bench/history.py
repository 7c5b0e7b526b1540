"""Texts that were sent before, in bulk and with books that are right, to see what a send costs in a
database that has grown."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from bench.harness import count

TEXTS_PER_CONTACT = 10

# Numbered n from 0. The teams take turns, and so do the contacts of each. A text costs one credit,
# so n / teams is what its team has spent on those before it. They lie a second apart.
_ROWS = {
    "campaign_contact": """
insert into campaign_contact (campaign_id, assignment_id, cell, message_status)
  select n %% %(teams)s + 1, n %% %(teams)s + 1, '+1' || 2000000000 + %(first_contact)s + n,
    'messaged'
  from generate_series(0, %(contacts)s - 1) n
""",
    "message": """
insert into message (id, campaign_contact_id, assignment_id, user_id, contact_number,
    is_from_contact, text, service, service_id, send_status, created_at, num_segments, num_media)
  select %(first_message)s + n, %(first_contact)s + n %% %(contacts)s, n %% %(teams)s + 1, 2,
    '+1' || 2000000000 + %(first_contact)s + n %% %(contacts)s, false,
    'Hi ' || n || ', will you come?', 'fakeservice', 'SM' || n, 'DELIVERED',
    to_timestamp(1577836800 + n), 1, 0
  from generate_series(0, %(texts)s - 1) n
""",
    "credit_entry": """
insert into credit_entry (team_id, kind, amount, balance_after, message_id, actor_id, created_at)
  select n %% %(teams)s + 1, 'SEND', -1,
    (%(balances)s::bigint[])[n %% %(teams)s + 1] - n / %(teams)s - 1, %(first_message)s + n, 2,
    to_timestamp(1577836800 + n)
  from generate_series(0, %(texts)s - 1) n
""",
    "outbound_text": """
insert into outbound_text (message_id, team_id, user_id, contact_id, state, reported,
    reported_segments, created_at)
  select %(first_message)s + n, n %% %(teams)s + 1, 2, %(first_contact)s + n %% %(contacts)s,
    'DONE', 'DELIVERED', 1, to_timestamp(1577836800 + n)
  from generate_series(0, %(texts)s - 1) n
""",
    "usage_day": """
insert into usage_day (team_id, day, campaign_id, is_ours, texts, segments, credits_used)
  select n %% %(teams)s + 1, (to_timestamp(1577836800 + n) at time zone 'UTC')::date as day,
    n %% %(teams)s + 1, true, count(*), count(*), count(*)
  from generate_series(0, %(texts)s - 1) n
  group by n %% %(teams)s, day
""",
}
_KEYS = """
select conname, pg_get_constraintdef(oid) from pg_constraint
where conrelid = %s::regclass and contype = 'p'
"""
_INDEXES = "select indexname, indexdef from pg_indexes where tablename = %s"


def add_history(url: str, texts: int, *, teams: int) -> None:
    """Teams 1 to `teams` have sent `texts` all told, or somewhat fewer: each the same number."""
    contacts = texts // TEXTS_PER_CONTACT // teams * teams
    texts = contacts * TEXTS_PER_CONTACT
    chosen: dict[str, Any] = {
        "teams": teams,
        "texts": texts,
        "contacts": contacts,
        "first_contact": count(url, "select nextval('campaign_contact_id_seq')") + 1,
        "first_message": count(url, "select nextval('message_id_seq')") + 1,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        balances = connection.execute("select balance from credit_account order by team_id")
        chosen["balances"] = [row[0] for row in balances]
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda table: _fill(url, table, chosen), _ROWS))
        connection.execute("select setval('message_id_seq', (select max(id) from message))")
        connection.execute(
            "update credit_account set balance = balance - %s where team_id <= %s",
            [texts // teams, teams],
        )
        connection.execute("checkpoint")


def _fill(url: str, table: str, chosen: dict[str, Any]) -> None:
    """Without triggers: what foreign keys would check is right by construction."""
    settings = "-c session_replication_role=replica -c maintenance_work_mem=1GB"
    with psycopg.connect(url, autocommit=True, options=settings) as connection:
        cursor = psycopg.ClientCursor(connection)
        if table == "campaign_contact":  # others refer to its key
            cursor.execute(_ROWS[table], chosen)
        else:
            with _without_indexes(connection, table):
                cursor.execute(_ROWS[table], chosen)
        connection.execute(f"vacuum analyze {table}".encode())


@contextmanager
def _without_indexes(connection: psycopg.Connection, table: str) -> Iterator[None]:
    """Made anew at the end: quicker than keeping them up to date row by row."""
    keys = connection.execute(_KEYS, [table]).fetchall()
    for name, _ in keys:
        connection.execute(f"alter table {table} drop constraint {name}".encode())
    indexes = connection.execute(_INDEXES, [table]).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index {name}".encode())
    yield
    for _, definition in indexes:
        connection.execute(definition.encode())
    for name, definition in keys:
        connection.execute(f"alter table {table} add constraint {name} {definition}".encode())
