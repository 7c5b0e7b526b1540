"""Texts that Spoke's own server and workers write: put under guard, and settled afterwards.

The guard itself is a trigger, see models/credit_guard.py. It debits what a text may need at most.
What became of it Spoke writes into the message, by its own rules, and a worker reads it there.
"""

from enum import StrEnum

from psycopg.errors import LockNotAvailable
from psycopg.rows import scalar_row
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models import credit_guard
from models.database import driver_connection
from services.delivery_reports import BOOKED
from services.errors import Conflict
from services.settings import Settings

SETTLED_DAYS = 7
"""Reports hardly ever come later."""
MOST_SETTLED = 1000
"""At once, so that nobody waits long for the accounts."""
LOCK_SECONDS = 5
_LOCK_KEY = 7_241_963_003


class GuardStatus(StrEnum):
    """OUTDATED: of another version, with another MMS_CREDITS, or turned off by hand."""

    INSTALLED = "installed"
    OUTDATED = "outdated"
    ABSENT = "not installed"


async def guard_status(session: AsyncSession, settings: Settings) -> GuardStatus:
    wanted = {
        "name": credit_guard.NAME,
        "fingerprint": credit_guard.fingerprint(settings.mms_credits),
    }
    is_current = await session.scalar(text(_STATUS), wanted)
    if is_current is None:
        return GuardStatus.ABSENT
    return GuardStatus.INSTALLED if is_current else GuardStatus.OUTDATED


async def install_guard(session: AsyncSession, settings: Settings) -> None:
    """From the commit on. Where it is in order already, it locks nothing. Raises Conflict."""
    if await guard_status(session, settings) is not GuardStatus.INSTALLED:
        await _execute(session, credit_guard.install(settings.mms_credits))


async def remove_guard(session: AsyncSession, settings: Settings) -> None:
    """What it has debited stays so, and is settled. Raises Conflict."""
    if await guard_status(session, settings) is not GuardStatus.ABSENT:
        await _execute(session, credit_guard.REMOVE)


async def _execute(session: AsyncSession, statements: str) -> None:
    connection = await driver_connection(session)
    try:
        await connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'".encode())
        await connection.execute(statements.encode())
    except LockNotAvailable:
        raise Conflict(
            f"Somebody has held the table message for {LOCK_SECONDS} seconds. Nothing was changed; "
            "please try again at a quieter moment."
        ) from None


async def settle_guarded(session: AsyncSession) -> int:
    """Gives back what was debited for texts that no carrier took, and settles what a provider has
    counted, each once. Returns how many, at most MOST_SETTLED. Raises LockNotAvailable where
    somebody holds an account."""
    connection = await driver_connection(session)
    # Two at the same time would not see what the other enters.
    await connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK_KEY])
    await connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'".encode())
    async with connection.cursor(row_factory=scalar_row) as cursor:
        wanted = {"days": SETTLED_DAYS, "most": MOST_SETTLED, "media": credit_guard.MEDIA}
        await cursor.execute(_SETTLE, wanted)
        return int(await cursor.fetchone() or 0)


_STATUS = """
select t.tgenabled <> 'D' and obj_description(t.tgfoid, 'pg_proc') is not distinct from :fingerprint
from pg_trigger t where t.tgname = :name and t.tgrelid = to_regclass('message')
"""

# Without a row in the queue it is not a text of ours. Spoke calls ERROR what a provider refused as
# well as what a carrier couldn't deliver; the provider's word is in the response. What has no id of
# a provider's and failed, none has taken. `offset 0` keeps PostgreSQL from reading whole ledgers.
_SETTLE = rf"""
with stranger as materialized (
  select m.id as message_id, m.campaign_contact_id, m.assignment_id, m.num_segments,
    m.send_status = 'NOT_ATTEMPTED' or m.send_status = 'ERROR' and (
      m.service_id = ''
      or m.service_response ~ '"(MessageStatus|eventType)"\s*:\s*"(failed|sending_failed)"'
    ) as is_refused,
    m.num_segments > 0 and m.service_id <> '' and m.send_status in ('SENT', 'DELIVERED', 'ERROR')
      and coalesce(m.num_media, 0) = 0 and m.text !~ %(media)s as is_counted
  from message m
  where not m.is_from_contact
    and m.created_at >= now() - make_interval(days => %(days)s)
    and (m.send_status in ('ERROR', 'NOT_ATTEMPTED') or m.num_segments > 0)
    and not exists (select from outbound_text o where o.message_id = m.id)
),
move as materialized (
  select message_id, message_id as arrival, c.organization_id as team_id,
    case when is_refused then 'GIVE_BACK' else 'SETTLEMENT' end as kind,
    case when is_refused then debit - coalesce(settled, 0) else debit - num_segments end as amount
  from stranger s
  left join campaign_contact contact on contact.id = s.campaign_contact_id
  left join assignment a on a.id = s.assignment_id
  join all_campaign c on c.id = coalesce(contact.campaign_id, a.campaign_id)
  cross join lateral (
    select -sum(e.amount) filter (where e.kind = 'SEND') as debit,
      sum(e.amount) filter (where e.kind = 'SETTLEMENT') as settled,
      coalesce(bool_or(e.kind = 'GIVE_BACK'), false) as is_given_back
    from credit_entry e
    where e.team_id = c.organization_id and e.message_id = s.message_id
    offset 0
  ) as entered
  where (is_refused or is_counted) and debit > 0 and not is_given_back
    and (is_refused or settled is null and debit <> num_segments)
  order by team_id, message_id
  limit %(most)s
),
account as materialized (
  select team_id, balance, enabled from credit_account
  where team_id = any(array(select team_id from move))
  order by team_id
  for update
),
{BOOKED}
select count(*) from move
"""
