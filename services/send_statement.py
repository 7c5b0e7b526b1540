"""The one statement by which outbound texts come into being.

It takes any number of sends at once and decides them in their order of arrival. In one transaction
it locks the accounts and the contacts, picks what the balances cover, and writes message, contact,
ledger entry, account, queue row and usage for each accepted send, and an exhaustion where a team
ran out.

Order matters: accounts are locked first, by team, so that two servers can't deadlock. Contacts come
second and are never waited for: one that is locked by somebody, or no longer as the caller saw it,
comes back as LOOK_AGAIN and delays nobody else. Usage comes last, by team and campaign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.rows import class_row

from services.usage_day import ADD_USAGE


@dataclass(frozen=True, slots=True)
class Send:
    """One text to write. `contact_assignment_id`: the contact's assignment as the caller saw it.

    `forced` (opt-out confirmations): accepted at any balance, and to an opted-out contact.
    `service`: the provider's name, and which account at it. `sticks`: the cell keeps that account.
    `keeps_status`: the conversation stays as it was, say to be answered.
    """

    team_id: int
    contact_id: int
    contact_assignment_id: int | None
    assignment_id: int | None
    user_id: int
    contact_number: str
    text: str
    cost: int
    segments: int
    media: int
    send_before: datetime
    version_hash: str | None = None
    campaign_variable_ids: tuple[int, ...] = ()
    idempotency_key: str | None = None
    fingerprint: str | None = None
    forced: bool = False
    service: str = "fakeservice"
    messaging_service_sid: str | None = None
    sticks: bool = False
    keeps_status: bool = False


KEY_INDEX = "outbound_text_key"
"""The unique index that another send with the same key violates."""


class Outcome(StrEnum):
    ACCEPTED = "ACCEPTED"
    INSUFFICIENT = "INSUFFICIENT"
    LOOK_AGAIN = "LOOK_AGAIN"
    NEXT_BATCH = "NEXT_BATCH"
    """Refused only because a bigger one before it hid that it fits."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a send. `remaining`: the team's balance after the whole batch."""

    outcome: Outcome
    message_id: int | None
    remaining: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", Outcome(self.outcome))


async def write_sends(
    connection: AsyncConnection, sends: Sequence[Send], *, lock_seconds: float = 10
) -> list[Written]:
    """One result for each send, in the same order. A contact may appear once in `sends`.

    Raises LockNotAvailable, with nothing written, where an account is held longer than that.
    """
    async with connection.cursor(row_factory=class_row(Written)) as cursor:
        sent = orjson.dumps([_row(s) for s in sends]).decode()
        parameters = {"sends": sent, "lock_timeout": f"{round(lock_seconds * 1000)}ms"}
        statement = _STICKING if any(send.sticks for send in sends) else _STATEMENT
        await cursor.execute(statement, parameters, prepare=True)
        written = await cursor.fetchall()
    assert len(written) == len(sends)
    return written


def _row(send: Send) -> dict[str, Any]:
    return {name: getattr(send, name) for name in Send.__slots__}


_STICK = """
stuck as (
  insert into messaging_service_stick (cell, organization_id, messaging_service_sid)
  select contact_number, team_id, messaging_service_sid
  from accepted where sticks order by team_id, contact_number
  on conflict (cell, organization_id) do nothing
),
"""

_WITH_OR_WITHOUT_STICK = """
with send as materialized (
  select * from rows from (json_to_recordset(%(sends)s::json) as (
    team_id int, contact_id int, contact_assignment_id int, assignment_id int, user_id int,
    contact_number text, text text, cost int, segments smallint, media smallint,
    send_before timestamptz, version_hash text, campaign_variable_ids int[],
    idempotency_key text, fingerprint text, forced boolean,
    service text, messaging_service_sid text, sticks boolean, keeps_status boolean
  )) with ordinality as send (
    team_id, contact_id, contact_assignment_id, assignment_id, user_id,
    contact_number, text, cost, segments, media,
    send_before, version_hash, campaign_variable_ids,
    idempotency_key, fingerprint, forced,
    service, messaging_service_sid, sticks, keeps_status, arrival
  )
),
account as materialized (
  select team_id, balance, enabled from credit_account
  where team_id = any(array(select team_id from send))
    and (select set_config('lock_timeout', %(lock_timeout)s, true)) is not null
  order by team_id
  for update
),
-- The count makes the contacts wait until the accounts are locked.
contact as materialized (
  select locked.* from send s cross join lateral (
    select c.id, c.campaign_id from campaign_contact c
    where (select count(*) from account) >= 0
      and c.id = s.contact_id
      and c.assignment_id is not distinct from s.contact_assignment_id
      and c.archived is not true
      and (s.forced or c.is_opted_out is not true)
    for no key update of c skip locked
  ) as locked
),
-- Of the sends that can be written, those that the balance covers. Refused ones count in this sum:
-- what they hid is found below.
covered as materialized (
  select * from (
    select s.*, c.campaign_id, coalesce(a.enabled, false) as metered,
      coalesce(a.balance, 0) as balance,
      sum(s.cost) over (partition by s.team_id order by s.arrival) as demanded
    from send s join contact c on c.id = s.contact_id left join account a using (team_id)
  ) as ready
  where not metered or forced or demanded <= balance
),
moved as (
  update campaign_contact c
  set message_status = case
    when c.message_status in ('needsMessage', 'messaged') then 'messaged' else 'convo' end
  where c.id = any(array(select contact_id from covered where not keeps_status))
),
-- A second sum, over the accepted ones alone: with the first, the chain of balances would break.
accepted as materialized (
  select *, nextval('message_id_seq') as message_id,
    balance - sum(cost) over (partition by team_id order by arrival) as balance_after
  from covered
),
wrote_messages as (
  insert into message (id, campaign_contact_id, assignment_id, user_id, contact_number,
    is_from_contact, text, service, send_status, send_before, script_version_hash,
    campaign_variable_ids, num_segments, num_media)
  select message_id, contact_id, assignment_id, user_id, contact_number,
    false, text, service, 'SENDING', send_before, version_hash,
    campaign_variable_ids, segments, media
  from accepted order by arrival
),
queued as (
  insert into outbound_text (message_id, team_id, user_id, contact_id, messaging_service_sid,
    idempotency_key, fingerprint)
  select message_id, team_id, user_id, contact_id, messaging_service_sid,
    idempotency_key, decode(fingerprint, 'hex')
  from accepted order by arrival
),
{stick}
entered as (
  insert into credit_entry (team_id, kind, amount, balance_after, message_id, actor_id)
  select team_id, 'SEND', -cost, balance_after, message_id, user_id
  from accepted where metered order by arrival
),
spent as materialized (
  select team_id, sum(cost)::bigint as credits from accepted where metered group by team_id
),
debited as (
  update credit_account a
  set balance = a.balance - (select credits from spent where spent.team_id = a.team_id),
    updated_at = now()
  where a.team_id = any(array(select team_id from spent))
),
-- Its day is that of the messages, whose created_at is now().
usage_change as (
  select team_id, (now() at time zone 'UTC')::date as day, campaign_id, true as is_ours,
    count(*) as texts, sum(segments) as segments, count(*) filter (where media > 0) as media_texts,
    0 as failed, coalesce(sum(cost) filter (where metered), 0) as credits_used
  from accepted group by team_id, campaign_id
),
used as ({add_usage}),
answer as materialized (
  select s.arrival, s.team_id, s.cost, accepted.message_id, coalesce(a.enabled, false) as metered,
    coalesce(a.balance - coalesce(spent.credits, 0), 0) as remaining,
    case
      when accepted.message_id is not null then 'ACCEPTED'
      when c.id is null then 'LOOK_AGAIN'
      when s.cost <= a.balance - coalesce(spent.credits, 0) then 'NEXT_BATCH'
      else 'INSUFFICIENT'
    end as outcome
  from send s
  left join account a using (team_id)
  left join contact c on c.id = s.contact_id
  left join accepted using (arrival)
  left join spent on spent.team_id = s.team_id
),
opened as (
  insert into credit_exhaustion (team_id, reason, remaining, required)
  select team_id, case when remaining <= 0 then 'EXHAUSTED' else 'SHORT' end, remaining,
    min(cost) filter (where outcome = 'INSUFFICIENT')
  from answer
  where metered and (outcome = 'INSUFFICIENT' or outcome = 'ACCEPTED' and remaining <= 0)
  group by team_id, remaining
  on conflict (team_id) where closed_at is null do nothing
)
select outcome, message_id, remaining from answer order by arrival
"""

_STATEMENT = _WITH_OR_WITHOUT_STICK.format(stick="", add_usage=ADD_USAGE)
_STICKING = _WITH_OR_WITHOUT_STICK.format(stick=_STICK, add_usage=ADD_USAGE)
