"""Texts as their provider lists them, once they are out.

Twilio tells neither in its answer nor in its reports how many segments it counted, and a report
that we couldn't take is lost after seconds. So each account's texts are gone through a while later,
a thousand at a time. Any number of workers may do it; one does at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import AsyncConnection
from psycopg.rows import class_row

from services.providers import MessagingService, Report

OVERLAP = timedelta(minutes=15)
"""For lists that are late, and clocks that differ. Most texts have come to their end by then."""
PAUSE = timedelta(minutes=10)
LEASE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Account:
    """An account at Twilio, by one of its messaging services."""

    sid: str
    account_sid: str
    encrypted_auth_token: str
    counted_until: datetime

    @property
    def service(self) -> MessagingService:
        return MessagingService(self.sid, self.account_sid, self.encrypted_auth_token)

    @property
    def since(self) -> datetime:
        return self.counted_until - OVERLAP


async def claim_account(connection: AsyncConnection, *, lease: timedelta = LEASE) -> Account | None:
    """One that is due, and nobody else's for the time of the lease."""
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(_CLAIM, {"lease": lease})
        return await cursor.fetchone()


async def finish_account(
    connection: AsyncConnection, account: Account, *, until: datetime, pause: timedelta = PAUSE
) -> None:
    await connection.execute(_FINISH, [until, pause, account.account_sid])


async def news_of(connection: AsyncConnection, listed: Sequence[Report]) -> list[Report]:
    """Of what a provider lists, by its own ids, what we don't know yet of texts of ours."""
    cursor = await connection.execute(_UNSETTLED, [[one.service_id for one in listed]])
    ours: Mapping[str, int] = dict(await cursor.fetchall())
    return [
        replace(one, message_id=ours[one.service_id]) for one in listed if one.service_id in ours
    ]


async def note_segments(connection: AsyncConnection, listed: Sequence[Report]) -> int:
    """Writes down what a provider has counted of Spoke's own texts that were debited: Spoke doesn't
    ask Twilio. Returns of how many; credit_guard.py settles them."""
    counts = {one.service_id: one.segments for one in listed if one.service_id and one.segments}
    cursor = await connection.execute(_NOTE, [list(counts), list(counts.values())])
    return cursor.rowcount


_CLAIM = """
with account as (
  select distinct on (account_sid) messaging_service_sid as sid, account_sid, encrypted_auth_token
  from messaging_service
  where service_type = 'twilio' and account_sid <> '' and encrypted_auth_token <> ''
  order by account_sid, active desc, messaging_service_sid
),
next as (
  select account_sid from account left join provider_recount using (account_sid)
  where due_at is null or due_at <= now()
  order by due_at nulls first, account_sid
  limit 1
),
due as (
  insert into provider_recount (account_sid, counted_until, due_at)
  select account_sid, now(), now() + %(lease)s from next
  on conflict (account_sid) do update set due_at = excluded.due_at
  where provider_recount.due_at <= now()
  returning account_sid, counted_until
)
select account.*, due.counted_until from account join due using (account_sid)
"""

_FINISH = """
update provider_recount set counted_until = %s, due_at = now() + %s where account_sid = %s
"""

# Without an end yet, or without a count. Texts with media are not counted in segments.
_UNSETTLED = """
select m.service_id, m.id from message m join outbound_text o on o.message_id = m.id
where m.service_id = any(%s) and (
  o.reported = 'SENT'
  or o.reported in ('DELIVERED', 'UNDELIVERED') and o.reported_segments is null
    and coalesce(m.num_media, 0) = 0
)
"""

# `offset 0` keeps PostgreSQL from looking through all messages.
_NOTE = """
with found as materialized (
  select text.id, counted.segments
  from unnest(%s::text[], %s::smallint[]) as counted (service_id, segments)
  cross join lateral (
    select * from message m where m.service_id = counted.service_id and m.service_id > '' offset 0
  ) as text
  join assignment a on a.id = text.assignment_id
  join all_campaign c on c.id = a.campaign_id
  where text.num_segments is null and not text.is_from_contact
    and not exists (select from outbound_text o where o.message_id = text.id)
    and exists (
      select from credit_entry e
      where e.team_id = c.organization_id and e.message_id = text.id and e.kind = 'SEND'
    )
)
update message m set num_segments = found.segments
from found where m.id = found.id and m.id = any(array(select id from found))
"""
