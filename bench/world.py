"""Teams, contacts, people and purchases for benchmarks, made in bulk with books that are right."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from sqlalchemy.ext.asyncio import AsyncSession

from bench.harness import SECRET
from bench.history import add_history
from models.database import open_database
from server.sessions import COOKIE, signed
from services.access import Actor
from services.credits import add_credits
from services.settings import load_settings
from services.verification import Verification, verify_credits

SUPERADMIN, TEXTER = 1, 2
MOST_CLIENTS = 256
PLENTY = 10_000_000
"""Credits of one purchase."""

Result = TypeVar("Result")

# Team n has campaign n and assignment n. All but the texter are superadmins, who buy in turn.
_WORLD = (
    """
    insert into "user" (auth0_id, first_name, last_name, cell, email, is_superadmin)
      select 'x', 'Sam', 'Person ' || n, '', 'person-' || n || '@bench.example', n <> 2
      from generate_series(1, 12) n
    """,
    """
    insert into organization (name)
      select 'Team ' || lpad(n::text, 4, '0') from generate_series(1, %(teams)s) n
    """,
    """
    insert into user_organization (user_id, organization_id, role)
      select 2, id, 'TEXTER' from organization
    """,
    """
    insert into all_campaign (organization_id, title, is_started, is_archived,
        texting_hours_start, texting_hours_end)
      select id, 'Campaign', true, false, 0, 24 from organization order by id
    """,
    """
    insert into assignment (user_id, campaign_id) select 2, id from all_campaign order by id
    """,
    """
    insert into credit_account (team_id, enabled) select id, true from organization
    """,
    """
    insert into credit_purchase (team_id, amount, note, purchased_by, purchased_by_name)
      select team.id, %(amount)s, 'Invoice ' || n, buyer.id,
        buyer.first_name || ' ' || buyer.last_name
      from organization team, generate_series(1, %(purchases)s) n
      join "user" buyer on buyer.id = 3 + n %% 10
      where team.id <= %(teams)s - %(without_credits)s
      order by team.id, n
    """,
    """
    insert into credit_entry (team_id, kind, amount, balance_after, purchase_id, actor_id)
      select team_id, 'PURCHASE', amount, sum(amount) over (partition by team_id order by id), id,
        purchased_by
      from credit_purchase order by id
    """,
    """
    update credit_account a set balance = sum.amount, purchased = sum.amount
      from (select team_id, sum(amount) as amount from credit_purchase group by team_id) sum
      where sum.team_id = a.team_id
    """,
)
_CONTACTS = """
with made as (
  insert into campaign_contact (campaign_id, assignment_id, cell)
    select team, team, '+1' || 2000000000 + last.id + row_number() over (order by team, n)
    from (select coalesce(max(id), 0) as id from campaign_contact) last,
      unnest(%(team_ids)s::int[]) team, generate_series(1, %(contacts)s) n
    order by team, n
  returning id
)
select min(id), max(id) from made
"""


def make_world(
    url: str,
    *,
    teams: int = 1,
    purchases: int = 1,
    without_credits: int = 0,
    texts: int = 10_000,
) -> None:
    """Credits are on.

    `purchases`: of each team, but the last `without_credits` teams have bought none. `texts`: were
    sent by the others all told, or somewhat fewer. Without any, PostgreSQL would plan for tables
    that are empty.
    """
    chosen = {"teams": teams, "purchases": purchases, "without_credits": without_credits}
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _WORLD:
            connection.execute(statement, {**chosen, "amount": PLENTY})
        connection.execute("vacuum analyze")
    if texting := teams - without_credits:
        add_history(url, texts, teams=texting)


def add_contacts(url: str, contacts: int, *team_ids: int) -> range:
    """So many to each of these teams, team by team; returns their ids. Nobody has texted them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")  # no foreign keys to check
        chosen = {"team_ids": list(team_ids), "contacts": contacts}
        row = connection.execute(_CONTACTS, chosen).fetchone()
        connection.execute("vacuum analyze campaign_contact")
    assert row is not None
    return range(row[0], row[1] + 1)


def buy_credits(url: str, team_id: int, amount: int) -> None:
    actor = Actor(SUPERADMIN, "Sam Person 1", is_superadmin=True)
    in_transaction(
        url, lambda s: add_credits(s, load_settings(), actor, team_id=team_id, amount=amount)
    )


def cookies_of(url: str, user_id: int) -> list[str]:
    """Sessions of that person, one for each client, as the server would have made them."""
    sids = [f"bench-{user_id}-{n}" for n in range(MOST_CLIENTS)]
    sess = json.dumps({"cookie": {"expires": None}, "passport": {"user": user_id}})
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into user_session (sid, sess, expire) "
            "select sid, %s, now() + interval '30 days' from unnest(%s::text[]) sid "
            "on conflict do nothing",
            [sess, sids],
        )
    return [f"{COOKIE}={signed(sid, SECRET)}" for sid in sids]


def verified(url: str) -> Verification:
    """The books of all teams."""
    return in_transaction(url, verify_credits)


def in_transaction(url: str, work: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    async def worked() -> Result:
        async with open_database(url) as database, database.sessions.begin() as session:
            return await work(session)

    return asyncio.run(worked())
