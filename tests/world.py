"""Small worlds for tests of the services: teams to text from, and proof that their books are right.

Rows are written as an installed Spoke would have them; credits come from the services, so that
every balance has its ledger.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from psycopg.rows import namedtuple_row

from models.database import Database
from services.access import Actor, Role
from services.credits import add_credits, set_credits_enabled
from services.send_statement import Send
from services.settings import load_settings
from services.usage_day import verify_usage
from services.verification import verify_credits

CONFIRMATION = "I'm opting you out of texts immediately. Have a great day."
"""The text of forced sends, by which `books` tells them from those that a balance stops."""

SETTINGS = load_settings()
"""What they are where a test doesn't say otherwise: reading them takes a while."""

SUPERADMIN, TEXTER = "Sam Superadmin", "Terry Texter"
TABLES = (
    "assignment",
    "campaign_contact",
    "message",
    "outbound_text",
    "credit_account",
    "credit_purchase",
    "credit_entry",
    "credit_exhaustion",
    "credit_switch",
    "usage_day",
)

T = TypeVar("T")
State = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Team:
    """A team with one campaign, all of it assigned to `texter`."""

    id: int
    superadmin: Actor
    texter: Actor
    campaign_id: int
    assignment_id: int
    contact_ids: tuple[int, ...]
    cells: tuple[str, ...]

    @property
    def names(self) -> dict[str, int]:
        """For statements that refer to %(team)s, %(contact)s and so on."""
        return {
            "team": self.id,
            "campaign": self.campaign_id,
            "assignment": self.assignment_id,
            "contact": self.contact_ids[0],
            "texter": self.texter.user_id,
            "superadmin": self.superadmin.user_id,
        }


@dataclass(frozen=True, slots=True)
class Books:
    """A team's figures. `metered`: texts with a debit. The last three: of the open exhaustion."""

    enabled: bool
    balance: int
    purchased: int
    spent: int
    texts: int
    metered: int
    exhaustions: int
    reason: str | None
    remaining: int | None
    required: int | None


async def rows(database: Database, statement: str, **values: Any) -> list[Any]:
    """Runs a statement on its own. Rows have the names of their columns."""
    async with (
        database.pool.connection() as connection,
        connection.cursor(row_factory=namedtuple_row) as cursor,
    ):
        await cursor.execute(statement, values or None)
        return await cursor.fetchall() if cursor.description else []


async def value(database: Database, statement: str, **values: Any) -> Any:
    [row] = await rows(database, statement, **values)
    return row[0]


async def make_team(
    database: Database,
    *,
    contacts: int = 1,
    credits: int | None = None,
    hours: tuple[int, int] = (0, 24),
) -> Team:
    """`credits`: None means that the team never used them; else they are on, with that many."""
    superadmin = await _superadmin(database)
    made = await rows(database, _MAKE_TEAM, contacts=contacts, start=hours[0], end=hours[1])
    texter = Actor(made[0].texter_id, TEXTER, is_superadmin=False)
    team = Team(
        id=made[0].team_id,
        superadmin=superadmin,
        texter=texter,
        campaign_id=made[0].campaign_id,
        assignment_id=made[0].assignment_id,
        contact_ids=tuple(row.contact_id for row in made),
        cells=tuple(row.cell for row in made),
    )
    if credits is not None:
        await add(database, team, credits)
        await switch(database, team, enabled=True)
    return team


async def _superadmin(database: Database) -> Actor:
    """The same person for all teams, and a member of none."""
    user_id = await value(
        database,
        'insert into "user" (auth0_id, first_name, last_name, cell, email, is_superadmin)'
        " values ('', 'Sam', 'Superadmin', '', 'superadmin@example.org', true)"
        " on conflict (email) do update set first_name = excluded.first_name returning id",
    )
    return Actor(user_id, SUPERADMIN, is_superadmin=True)


async def make_member(database: Database, team_id: int, role: Role | None) -> Actor:
    """A new person with that role in the team; None: without a membership."""
    user_id = await value(
        database,
        'insert into "user" (auth0_id, first_name, last_name, cell, email)'
        " values ('', 'Terry', 'Texter', '', gen_random_uuid() || '@example.org') returning id",
    )
    if role is not None:
        await rows(
            database,
            "insert into user_organization (user_id, organization_id, role)"
            " values (%(user)s, %(team)s, %(role)s)",
            user=user_id,
            team=team_id,
            role=role,
        )
    return Actor(user_id, TEXTER, is_superadmin=False)


async def add(database: Database, team: Team, amount: int, *, key: str | None = None) -> int:
    """Adds credits; 0 adds none. Returns the purchase's id."""
    if amount == 0:
        return 0
    async with database.sessions() as session, session.begin():
        purchase = await add_credits(
            session, SETTINGS, team.superadmin, team_id=team.id, amount=amount, key=key
        )
        return purchase.id


async def switch(database: Database, team: Team, *, enabled: bool) -> None:
    async with database.sessions() as session, session.begin():
        await set_credits_enabled(session, team.superadmin, team_id=team.id, enabled=enabled)


def encrypted(token: str, secret: str) -> str:
    """An auth token as Spoke stores it."""
    vector = os.urandom(16)
    cipher = Cipher(AES256(hashlib.sha256(secret.encode()).digest()), CBC(vector)).encryptor()
    padder = PKCS7(128).padder()
    padded = padder.update(token.encode()) + padder.finalize()
    return f"{vector.hex()}:{(cipher.update(padded) + cipher.finalize()).hex()}"


async def add_messaging_service(
    database: Database,
    team_id: int,
    sid: str,
    secret: str,
    *,
    account: tuple[str, str],
    kind: str = "twilio",
    active: bool = True,
) -> None:
    """`secret`: of the session, with which the token is encrypted; `account`: sid and token."""
    await rows(
        database,
        "insert into messaging_service (messaging_service_sid, organization_id, account_sid,"
        " encrypted_auth_token, service_type, active) values (%(sid)s, %(team)s, %(account)s,"
        " %(token)s, %(kind)s, %(active)s)",
        sid=sid,
        team=team_id,
        account=account[0],
        token=encrypted(account[1], secret),
        kind=kind,
        active=active,
    )


def of_cost(credits: int) -> str:
    """A text of that many segments."""
    return "x" * (153 * credits)


def make_send(team: Team, position: int = 0, *, cost: int = 1, **changes: Any) -> Send:
    """A send to the contact at `position`. With `forced` it is an opt-out confirmation."""
    fields: dict[str, Any] = {
        "team_id": team.id,
        "contact_id": team.contact_ids[position],
        "contact_assignment_id": team.assignment_id,
        "assignment_id": team.assignment_id,
        "user_id": team.texter.user_id,
        "contact_number": team.cells[position],
        "text": CONFIRMATION if changes.get("forced") else of_cost(cost),
        "cost": cost,
        "segments": cost,
        "media": 0,
        "send_before": datetime.now(UTC) + timedelta(days=1),
    }
    return Send(**fields | changes)


def with_settings(url: str, *settings: str) -> str:
    """The URL of the same database, for connections that have PostgreSQL's `name=value`s set."""
    return f"{url}?options={quote(' '.join(f'-c {setting}' for setting in settings))}"


async def state(database: Database) -> State:
    """Every row that credits and sending can change, to compare before and after."""
    found: State = {table: [] for table in TABLES}
    for table, row in await rows(database, _STATE):
        found[table].append(row)
    return found


def changed_tables(before: State, after: State) -> set[str]:
    return {table for table in TABLES if before[table] != after[table]}


@asynccontextmanager
async def holding(database: Database, statement: str, **values: Any) -> AsyncIterator[None]:
    """Somebody else's transaction that has run the statement, and commits at the end."""
    async with database.pool.connection() as connection, connection.transaction():
        await connection.execute(statement, values or None)
        yield


async def until_waiting(database: Database, backends: int) -> None:
    """Returns once that many connections wait for a lock."""
    give_up = time.monotonic() + 10
    while (
        waiting := await value(
            database,
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'",
        )
    ) < backends:
        assert time.monotonic() < give_up, f"only {waiting} of {backends} wait for a lock"
        await asyncio.sleep(0.01)


async def held_back(
    database: Database, crowd: Sequence[Awaitable[T]], statement: str, **values: Any
) -> list[T | BaseException]:
    """Outcomes of a crowd that is let go at once, when all of it waits for what is held.

    `database` must not be the crowd's own pool, which has no connection left meanwhile.
    """
    async with holding(database, statement, **values):
        tasks = [asyncio.ensure_future(member) for member in crowd]
        await until_waiting(database, len(tasks))
    return await asyncio.gather(*tasks, return_exceptions=True)


async def books(database: Database, team_id: int, *, everybodys: bool = True) -> Books:
    """A team's figures. Asserts what must hold, once nothing is under way: for all teams, or,
    to be quick, for this one alone."""
    broken = await rows(
        database, _BROKEN, confirmation=CONFIRMATION, team=team_id, everybodys=everybodys
    )
    assert not broken, "\n".join(map(str, broken))
    if everybodys:
        async with database.sessions() as session:
            assert (await verify_credits(session)).drifts == []
            assert await verify_usage(session) == []
    return await figures(database, team_id)


async def figures(database: Database, team_id: int) -> Books:
    """The same, whatever holds or not."""
    [row] = await rows(database, _FIGURES, team=team_id)
    return Books(*row)


_STATE = " union all ".join(
    f"(select '{table}' as name, to_jsonb(t) as content from {table} t order by t)"
    for table in TABLES
)

_MAKE_TEAM = """
with team as (
  insert into organization (name, features) values ('Team', '{}') returning id
),
texter as (
  insert into "user" (auth0_id, first_name, last_name, cell, email)
  values ('', 'Terry', 'Texter', '', gen_random_uuid() || '@example.org') returning id
),
member as (
  insert into user_organization (user_id, organization_id, role)
  select texter.id, team.id, 'TEXTER' from texter, team
),
made_campaign as (
  insert into all_campaign (organization_id, title, is_started, is_archived, is_approved,
    texting_hours_start, texting_hours_end)
  select id, 'Saturday', true, false, true, %(start)s, %(end)s from team returning id
),
made_assignment as (
  insert into assignment (user_id, campaign_id)
  select texter.id, made_campaign.id from texter, made_campaign returning id
),
contact as (
  insert into campaign_contact (campaign_id, assignment_id, cell)
  select made_campaign.id, made_assignment.id, '+1202555' || to_char(n, 'FM0000')
  from made_campaign, made_assignment, generate_series(0, %(contacts)s - 1) n
  returning id, cell
)
select team.id as team_id, texter.id as texter_id, made_campaign.id as campaign_id,
  made_assignment.id as assignment_id, contact.id as contact_id, contact.cell
from team, texter, made_campaign, made_assignment, contact order by contact.id
"""

_BROKEN = """
with team as materialized (
  select o.id as team_id, coalesce(a.enabled, false) as enabled, coalesce(a.balance, 0) as balance,
    coalesce(a.purchased, 0) as purchased,
    (select count(*) from credit_switch s where s.team_id = o.id) as switches,
    (select max(created_at) from credit_switch s where s.team_id = o.id) as switched_at
  from organization o left join credit_account a on a.team_id = o.id
  where %(everybodys)s or o.id = %(team)s
),
entry as (
  select e.*, lag(balance_after, 1, 0::bigint) over (partition by team_id order by id) as before
  from team join credit_entry e using (team_id)
),
sent as (
  select m.*, team_id, c.id as campaign_id from team
  join all_campaign c on c.organization_id = team_id
  join campaign_contact cc on cc.campaign_id = c.id
  join message m on m.campaign_contact_id = cc.id
  where not m.is_from_contact
)
select 'the balance is not the sum of the entries' as broken, team_id as id
from team left join entry using (team_id)
group by team_id, balance having balance <> coalesce(sum(entry.amount), 0)
union all
select 'the chain of balances is broken at this entry', id
from entry where balance_after - amount <> before
union all
select 'the account forgets a purchase or its removal', team_id
from team left join credit_purchase p using (team_id)
group by team_id, purchased
having purchased <> coalesce(sum(p.amount) filter (where p.removed_at is null), 0)
union all
select 'this purchase has not exactly its entries', p.id
from team join credit_purchase p using (team_id)
left join entry on entry.purchase_id = p.id and entry.team_id = p.team_id
group by p.id having array_agg((kind, entry.amount)::text order by kind) <>
  case when p.removed_at is null then array[('PURCHASE', p.amount)::text]
  else array[('PURCHASE', p.amount)::text, ('REMOVAL', -p.amount)::text] end
union all
select 'this text is not queued', sent.id
from sent left join outbound_text q
  on q.message_id = sent.id and q.team_id = sent.team_id and q.user_id = sent.user_id
where q.message_id is null
union all
select 'a queue row has no text', message_id
from team join outbound_text using (team_id) left join sent on sent.id = message_id
where sent.id is null
union all
select 'a debit has no text of its team and sender', entry.id
from entry left join sent on sent.id = entry.message_id and sent.team_id = entry.team_id
where kind = 'SEND' and (sent.id is null or entry.actor_id is distinct from sent.user_id)
union all
select 'a text did not cost its segments', message_id
from entry join sent on sent.id = message_id join outbound_text o using (message_id)
group by message_id, given_back, num_media, num_segments
having case when given_back then sum(amount) <> 0 or num_segments <> 0
  else num_media = 0 and sum(amount) <> -num_segments end
union all
select 'a text does not remember what was settled or given back', o.message_id
from team join outbound_text o using (team_id) left join entry using (message_id)
group by o.message_id having settled <> coalesce(sum(amount) filter (where kind = 'SETTLEMENT'), 0)
  or bool_or(coalesce(kind = 'GIVE_BACK', false)) <> given_back
union all
select 'usage is not what the texts of this campaign come to', campaign_id
from (
  select team_id, campaign_id, count(*) as texts, sum(num_segments) as segments,
    count(*) filter (where num_media > 0) as media_texts,
    count(*) filter (where send_status in ('ERROR', 'NOT_ATTEMPTED')) as failed
  from sent group by team_id, campaign_id
) as texted
full join (
  select u.team_id, campaign_id, sum(texts) as texts, sum(segments) as segments,
    sum(media_texts) as media_texts, sum(failed) as failed, sum(credits_used) as credits_used
  from team join usage_day u using (team_id) group by u.team_id, campaign_id
) as used using (team_id, campaign_id)
left join (
  select sent.team_id, campaign_id, -sum(amount) as credits
  from sent join entry on entry.message_id = sent.id group by sent.team_id, campaign_id
) as spent using (team_id, campaign_id)
where (texted.texts, texted.segments, texted.media_texts, texted.failed, coalesce(credits, 0))
  is distinct from (used.texts, used.segments, used.media_texts, used.failed, used.credits_used)
union all
select 'a text was accepted beyond the balance', entry.id
from entry join sent on sent.id = entry.message_id
where kind = 'SEND' and balance_after < 0 and sent.text <> %(confirmation)s
union all
select 'credits have been on since before this text, and it has no debit', sent.id
from sent join team using (team_id)
left join entry on entry.message_id = sent.id and entry.kind = 'SEND'
where enabled and switches = 1 and sent.created_at > switched_at and entry.id is null
union all
select 'credits were never on, and this text has a debit', sent.id
from sent join team using (team_id) join entry on entry.message_id = sent.id
where switches = 0 and entry.kind = 'SEND'
union all
select 'more than one exhaustion is open', team_id
from team join credit_exhaustion using (team_id) where closed_at is null
group by team_id having count(*) > 1
union all
select 'an exhaustion is open though credits are off', team_id
from team join credit_exhaustion using (team_id) where closed_at is null and not enabled
"""

_FIGURES = """
select coalesce(a.enabled, false) as enabled, coalesce(a.balance, 0) as balance,
  coalesce(a.purchased, 0) as purchased,
  coalesce((select -sum(amount) from credit_entry
    where team_id = o.id and kind not in ('PURCHASE', 'REMOVAL')), 0)::bigint as spent,
  (select count(*) from outbound_text where team_id = o.id) as texts,
  (select count(*) from credit_entry where team_id = o.id and kind = 'SEND') as metered,
  (select count(*) from credit_exhaustion where team_id = o.id) as exhaustions,
  e.reason, e.remaining, e.required
from organization o
left join credit_account a on a.team_id = o.id
left join credit_exhaustion e on e.team_id = o.id and e.closed_at is null
where o.id = %(team)s
"""
