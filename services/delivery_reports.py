"""What providers report of texts: their status, what they counted, and what that is in credits.

A text that the provider refused before any carrier took it gives its whole debit back. Where the
provider counted other segments than were debited, the difference is settled. Each happens once,
whoever reports how often and in which order: a text that has come to an end stays there, and only
the first count counts. Usage follows in the same statement.

What a provider has belongs to one text: a report by the id of another's is not applied. A unique
index sees to that, whoever races.

Only texts that we accepted are touched: Spoke keeps its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import orjson
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from services.providers import Report
from services.usage_day import ADD_USAGE

LOCK_SECONDS = 5.0
"""How long an operator's waits for an account or a text that somebody holds."""
ID_INDEX = "outbound_text_service_id"
"""The unique index by which a provider's text belongs to one of ours."""


class Applied(NamedTuple):
    """`is_news`: something changed. `moved_team_id`: the team whose balance did. `is_anothers`: the
    provider's id is that of another text, so nothing did."""

    is_news: bool
    moved_team_id: int | None
    is_anothers: bool = False


NOTHING = Applied(False, None)
_Numbered = tuple[int, Report]


async def apply_reports(
    connection: AsyncConnection, reports: Sequence[Report], *, lock_seconds: float = LOCK_SECONDS
) -> list[Applied]:
    """For each report what it changed. One statement, but for repeated reports of one text; each
    commits for itself, unless the caller has a transaction under way.

    Raises LockNotAvailable, with nothing of the statement written.
    """
    applied = [NOTHING] * len(reports)
    waiting = list(enumerate(reports))
    while waiting:
        batch, waiting = _next_batch(waiting)
        found = await _apply(connection, batch, lock_seconds)
        for (at, _), one in zip(batch, found, strict=True):
            applied[at] = one
    return applied


def _next_batch(waiting: Sequence[_Numbered]) -> tuple[list[_Numbered], list[_Numbered]]:
    """By message, so that two servers can't deadlock; of each, and of each provider's id, only one,
    so that what comes later sees what came before."""
    batch: list[_Numbered] = []
    rest: list[_Numbered] = []
    seen: set[int | str] = set()
    for one in waiting:
        names = {one[1].message_id, one[1].service_id or one[1].message_id}
        (batch if names.isdisjoint(seen) else rest).append(one)
        seen |= names
    return sorted(batch, key=lambda one: one[1].message_id), rest


async def _apply(
    connection: AsyncConnection, batch: Sequence[_Numbered], lock_seconds: float
) -> list[Applied]:
    while True:
        try:
            async with connection.transaction():
                return await _apply_at_once(connection, batch, lock_seconds)
        except UniqueViolation as error:  # two raced for one id: by now the second sees the first
            if error.diag.constraint_name != ID_INDEX:
                raise


async def _apply_at_once(
    connection: AsyncConnection, batch: Sequence[_Numbered], lock_seconds: float
) -> list[Applied]:
    rows = orjson.dumps([_row(report) for _, report in batch]).decode()
    parameters = {"reports": rows, "lock_timeout": f"{round(lock_seconds * 1000)}ms"}
    cursor = await connection.execute(_STATEMENT, parameters, prepare=True)
    return [Applied(*row) for row in await cursor.fetchall()]


def _row(report: Report) -> dict[str, object]:
    return {
        "message_id": report.message_id,
        "status": report.status,
        "service_id": report.service_id,
        "segments": report.segments,
        "error_code": report.error_code,
        "response": orjson.dumps([report.response]).decode(),
        "fence": report.fence,
        "accepted_at": report.accepted_at,
    }


# What a `move` (team_id, message_id, kind, amount, in the order of arrival) does to each `account`,
# which is locked: entries, balances, and exhaustions of those whom a debit brings to nothing.
BOOKED = """
entered as (
  insert into credit_entry (team_id, kind, amount, balance_after, message_id)
  select team_id, kind, amount,
    a.balance + sum(amount) over (partition by team_id order by arrival), message_id
  from move join account a using (team_id) order by arrival
),
total as materialized (
  select team_id, sum(amount)::bigint as credits, bool_or(amount < 0) as has_debit
  from move group by team_id
),
balanced as (
  update credit_account a
  set balance = a.balance + (select credits from total where total.team_id = a.team_id),
    updated_at = now()
  where a.team_id = any(array(select team_id from total))
),
opened as (
  insert into credit_exhaustion (team_id, reason, remaining)
  select team_id, 'EXHAUSTED', a.balance + credits
  from total join account a using (team_id)
  where a.enabled and has_debit and a.balance + credits <= 0
  on conflict (team_id) where closed_at is null do nothing
)
"""

_STATEMENT = f"""
with report as materialized (
  select * from rows from (json_to_recordset(%(reports)s::json) as (
    message_id bigint, status text, service_id text, segments smallint, error_code text,
    response text, fence int, accepted_at timestamptz
  )) with ordinality as report (
    message_id, status, service_id, segments, error_code, response, fence, accepted_at, arrival
  )
),
-- The debits that may have to be given back or settled. Here and below, `offset 0` and arrays keep
-- PostgreSQL from looking through whole tables for a handful of rows.
debit as materialized (
  select r.message_id, entry.team_id, entry.credits
  from report r cross join lateral (
    select o.team_id, -e.amount as credits
    from outbound_text o
    join credit_entry e
      on e.team_id = o.team_id and e.message_id = o.message_id and e.kind = 'SEND'
    where o.message_id = r.message_id
    offset 0
  ) as entry
  where r.status in ('FAILED', 'NOT_ATTEMPTED') or r.segments <> entry.credits
),
account as materialized (
  select team_id, balance, enabled from credit_account
  where team_id = any(array(select team_id from debit))
    and (select set_config('lock_timeout', %(lock_timeout)s, true)) is not null
  order by team_id
  for update
),
-- The count makes the texts wait until the accounts are locked. What is decided below rests on the
-- locked row alone: what is joined to it may be older.
text as materialized (
  select r.*, locked.* from report r cross join lateral (
    select o.team_id, o.contact_id, o.reported, o.reported_segments, o.settled, o.given_back,
      o.service_id as own_id
    from outbound_text o
    where (select count(*) from account) >= 0
      and o.message_id = r.message_id
      and (r.fence is null or r.fence = o.fence)
      and (r.accepted_at is null or r.accepted_at = o.created_at)
    for no key update of o
  ) as locked
),
-- What the provider calls it: texts of before outbound_text knew have that in the message alone.
named as materialized (
  select t.*, coalesce(t.own_id, nullif(m.service_id, '')) as known_id,
    m.created_at, m.assignment_id, coalesce(m.num_media, 0) > 0 as has_media,
    -- The first count changes the message's, whose row may be older here than ours.
    coalesce(t.reported_segments, m.num_segments, 1) as counted_before,
    -- What a provider has was attempted, whatever a look-up missed just before it said so.
    coalesce(t.reported, 'SENT') <> 'SENT'
      or t.status = 'NOT_ATTEMPTED' and t.reported is not null as is_over
  from text t left join lateral (
    select * from message where id = t.message_id offset 0
  ) as m on true
),
standing as materialized (
  select *,
    -- Spoke's texts have theirs in the message. What is said twice leads the planner to the index
    -- where nearly all are empty.
    service_id <> '' and known_id is null and (
      exists (
        select from outbound_text o
        where o.service_id = n.service_id and o.message_id <> n.message_id
      )
      or exists (
        select from message m
        where m.service_id = n.service_id and m.service_id > '' and m.id <> n.message_id
      )
    ) as is_anothers
  from named n
  -- Another id: the provider took a second text for the same message, which isn't this one.
  where service_id = '' or coalesce(known_id, service_id) = service_id
),
verdict as materialized (
  select *,
    case when is_over then reported else status end as outcome,
    status in ('FAILED', 'NOT_ATTEMPTED') and not is_over as is_refused,
    segments > 0 and reported_segments is null and not has_media
      and status not in ('FAILED', 'NOT_ATTEMPTED')
      and coalesce(reported, 'SENT') not in ('FAILED', 'NOT_ATTEMPTED') as is_counted
  from standing where not is_anothers
),
move as materialized (
  select v.arrival, v.team_id, v.message_id,
    case when v.is_refused then 'GIVE_BACK' else 'SETTLEMENT' end as kind,
    case when v.is_refused then d.credits - v.settled else d.credits - v.segments end as amount
  from verdict v join debit d using (message_id)
  where (v.is_refused or v.is_counted)
    and case when v.is_refused then d.credits - v.settled > 0 else d.credits <> v.segments end
),
{BOOKED},
finished as (
  update outbound_text o
  set state = 'DONE', lease_until = null, unknown_because = null, reported = v.outcome,
    reported_segments = case when v.is_counted then v.segments else o.reported_segments end,
    settled = case when move.kind = 'SETTLEMENT' then move.amount else o.settled end,
    given_back = o.given_back or move.kind is not distinct from 'GIVE_BACK',
    service_id = coalesce(o.service_id, nullif(v.service_id, ''))
  from verdict v left join move using (message_id)
  where o.message_id = v.message_id
    and o.message_id = any(array(select message_id from verdict))
    and (o.state <> 'DONE' or v.outcome is distinct from v.reported or v.is_counted)
),
written as (
  update message m
  set send_status = case v.outcome
      when 'UNDELIVERED' then 'ERROR' when 'FAILED' then 'ERROR' else v.outcome end,
    service_id = case when m.service_id = '' then v.service_id else m.service_id end,
    service_response = v.response,
    service_response_at = now(),
    sent_at = case when v.reported is null then now() else m.sent_at end,
    error_codes = case when v.error_code is null or v.error_code = any(m.error_codes)
      then m.error_codes else array_append(m.error_codes, v.error_code) end,
    num_segments = case
      when v.is_refused then 0 when v.is_counted then v.segments else m.num_segments end
  from verdict v
  where m.id = v.message_id
    and m.id = any(array(select message_id from verdict))
    and (v.outcome is distinct from v.reported or v.is_counted)
),
usage_change as (
  select team_id, day, campaign_id, true as is_ours, 0 as texts, sum(segments) as segments,
    0 as media_texts, sum(failed) as failed, sum(credits_used) as credits_used
  from (
    select v.team_id, (v.created_at at time zone 'UTC')::date as day, a.campaign_id,
      case when v.is_refused then 0 when v.is_counted then v.segments else v.counted_before end
        - v.counted_before as segments,
      (v.outcome in ('UNDELIVERED', 'FAILED', 'NOT_ATTEMPTED') and not v.is_over)::int as failed,
      -coalesce(move.amount, 0) as credits_used
    from verdict v
    cross join lateral (
      select campaign_id from assignment where id = v.assignment_id offset 0
    ) as a
    left join move using (message_id)
  ) as change
  where (segments, failed, credits_used) <> (0, 0, 0)
  group by team_id, day, campaign_id
),
used as ({ADD_USAGE})
select coalesce(v.outcome is distinct from v.reported or v.is_counted, false), move.team_id,
  coalesce(s.is_anothers, false)
from report r left join standing s using (arrival) left join verdict v using (arrival)
left join move using (arrival)
order by r.arrival
"""
