"""The queue of accepted texts: who has which in hand, until each is with its provider.

QUEUED -> SENDING, in the hands of one worker until its lease ends -> DONE. A text whose worker
vanished, or whose provider didn't say whether it took it, is UNKNOWN: it is never sent again
before a report, a look-up at the provider or an operator has told what became of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from services.delivery_reports import apply_reports
from services.errors import NotFound
from services.providers import DeliveryStatus, MessagingService, OutgoingText, Report

LEASE = timedelta(seconds=60)
"""Longer than an attempt and the wait for a provider's rate limit."""
LOOK_UP_AFTER = timedelta(minutes=10)
"""Providers list what they took with some delay."""
LOOK_UP_AGAIN_AFTER = timedelta(minutes=1)
KEYS_REMEMBERED = timedelta(days=7)
MOST_FORGOTTEN = 10_000
"""At once, so that nobody waits for them."""
MOST_LISTED = 1000
VANISHED = "The worker stopped before it had the provider's answer."


@dataclass(frozen=True, slots=True)
class Claimed:
    """A text in hand. `text` is None where Spoke has deleted its message. `handed_at`: when it was
    taken in hand the last time. `may_go_out`: there is still time, by the database's clock, and its
    contact hasn't opted out since it was written."""

    message_id: int
    fence: int
    accepted_at: datetime
    handed_at: datetime
    cell: str | None
    text: str | None
    send_before: datetime | None
    provider: str | None
    service_sid: str | None
    account_sid: str | None
    encrypted_auth_token: str | None
    may_go_out: bool

    @property
    def outgoing(self) -> OutgoingText:
        assert self.cell is not None and self.text is not None
        assert self.send_before is not None and self.provider is not None
        return OutgoingText(
            message_id=self.message_id,
            fence=self.fence,
            cell=self.cell,
            text=self.text,
            send_before=self.send_before,
            accepted_at=self.accepted_at,
            provider=self.provider,
            service=self._service,
        )

    @property
    def _service(self) -> MessagingService | None:
        if self.service_sid is None:
            return None
        assert self.account_sid is not None and self.encrypted_auth_token is not None
        return MessagingService(self.service_sid, self.account_sid, self.encrypted_auth_token)


@dataclass(frozen=True, slots=True)
class UnknownText:
    """A text of which nobody knows whether its provider took it."""

    message_id: int
    team_id: int
    contact_number: str | None
    handed_at: datetime
    unknown_because: str


async def claim_texts(
    connection: AsyncConnection,
    *,
    most: int,
    lease: timedelta = LEASE,
    opt_outs_are_shared: bool = False,
) -> list[Claimed]:
    """Takes texts in hand, the oldest first; of a conversation only its first unfinished one.

    What other workers are just taking is left to them.
    """
    wanted = {"most": most, "lease": lease, "share": opt_outs_are_shared}
    return await _claimed(connection, _CLAIM, wanted)


async def claim_for_look_up(
    connection: AsyncConnection,
    *,
    most: int,
    after: timedelta = LOOK_UP_AFTER,
    opt_outs_are_shared: bool = False,
) -> list[Claimed]:
    """UNKNOWN texts to ask their provider about; should that fail, they come again later."""
    wanted = {
        "most": most,
        "after": after,
        "again": LOOK_UP_AGAIN_AFTER,
        "share": opt_outs_are_shared,
    }
    return await _claimed(connection, _CLAIM_FOR_LOOK_UP, wanted)


async def _claimed(
    connection: AsyncConnection, statement: str, wanted: dict[str, object]
) -> list[Claimed]:
    async with connection.cursor(row_factory=class_row(Claimed)) as cursor:
        await cursor.execute(statement, wanted, prepare=True)
        return await cursor.fetchall()


async def put_back(
    connection: AsyncConnection, message_id: int, *, fence: int, wait: timedelta = timedelta()
) -> None:
    """A text that was certainly not sent goes to the queue again, unless the hand that brings it
    is no longer the last one."""
    await put_all_back(connection, {message_id: fence}, wait=wait)


async def put_all_back(
    connection: AsyncConnection, fences: Mapping[int, int], *, wait: timedelta
) -> None:
    """The same for many. `fences`: by the message."""
    ids, given = list(fences), list(fences.values())
    await connection.execute(_PUT_BACK, {"ids": ids, "fences": given, "wait": wait}, prepare=True)


async def mark_unknown(
    connection: AsyncConnection, message_id: int, *, fence: int, reason: str
) -> None:
    await connection.execute(_MARK_UNKNOWN, [reason, message_id, fence])


async def mark_abandoned(connection: AsyncConnection) -> list[int]:
    """Texts in hands that have held them for too long are UNKNOWN now. Returns their ids."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_MARK_ABANDONED, [VANISHED])
        return await cursor.fetchall()


async def forget_keys(connection: AsyncConnection) -> int:
    """Idempotency keys are remembered for KEYS_REMEMBERED. Returns how many were forgotten."""
    cursor = await connection.execute(_FORGET_KEYS, [KEYS_REMEMBERED, MOST_FORGOTTEN])
    return cursor.rowcount


async def has_unfinished(connection: AsyncConnection) -> bool:
    """Whether any text is still to be handed over, or nobody knows whether it was."""
    cursor = await connection.execute(
        "select exists (select from outbound_text where state <> 'DONE')"
    )
    row = await cursor.fetchone()
    return row is not None and row[0]


async def list_unknown(connection: AsyncConnection) -> list[UnknownText]:
    """The oldest first, at most MOST_LISTED."""
    async with connection.cursor(row_factory=class_row(UnknownText)) as cursor:
        await cursor.execute(_LIST_UNKNOWN, [MOST_LISTED])
        return await cursor.fetchall()


class Resolution(StrEnum):
    """What an operator has found out. SENT: the provider took it. SEND_AGAIN: it did not; it may
    still go out. GIVE_BACK: it did not, and it shall not."""

    SENT = "sent"
    SEND_AGAIN = "send-again"
    GIVE_BACK = "give-back"


async def resolve_unknown(
    connection: AsyncConnection, message_id: int, resolution: Resolution
) -> None:
    """Raises NotFound for a text that isn't UNKNOWN."""
    fence = await _fence_of_unknown(connection, message_id)
    if resolution is Resolution.SEND_AGAIN:
        await put_back(connection, message_id, fence=fence)
    else:
        is_sent = resolution is Resolution.SENT
        status = DeliveryStatus.SENT if is_sent else DeliveryStatus.NOT_ATTEMPTED
        await apply_reports(connection, [Report(message_id, status, fence=fence)])


async def _fence_of_unknown(connection: AsyncConnection, message_id: int) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_FENCE_OF_UNKNOWN, [message_id])
        fence = await cursor.fetchone()
    if fence is None:
        raise NotFound(f"Message {message_id} is not a text whose outcome is unknown.")
    return int(fence)


# An opt-out's own confirmation is as old as it, or younger.
_SHOWN = """
select c.message_id, c.fence, c.created_at as accepted_at, c.handed_at, m.contact_number as cell,
  m.text, m.send_before, m.service as provider, s.messaging_service_sid as service_sid,
  s.account_sid,
  s.encrypted_auth_token,
  coalesce(m.send_before > now(), false) and not exists (
    select from opt_out o
    where o.cell = m.contact_number and (%(share)s or o.organization_id = c.team_id)
      and o.created_at > m.created_at
  ) as may_go_out
from claimed c
left join message m on m.id = c.message_id
left join messaging_service s on s.messaging_service_sid = c.messaging_service_sid
order by c.message_id
"""

# The first of a conversation: an earlier one that is queued, in hand or unknown holds the others
# back, also while another worker is just taking it.
_CLAIM = f"""
with head as (
  select q.message_id from outbound_text q
  where q.state = 'QUEUED' and q.due_at <= now()
    and not exists (
      select from outbound_text earlier
      where earlier.contact_id = q.contact_id and earlier.message_id < q.message_id
        and earlier.state <> 'DONE'
    )
  order by q.due_at, q.message_id
  limit %(most)s
  for no key update of q skip locked
),
claimed as (
  update outbound_text o
  set state = 'SENDING', fence = o.fence + 1, handed_at = now(), lease_until = now() + %(lease)s
  where o.message_id = any(array(select message_id from head))
  returning o.message_id, o.team_id, o.fence, o.created_at, o.handed_at, o.messaging_service_sid
)
{_SHOWN}
"""

_CLAIM_FOR_LOOK_UP = f"""
with due as (
  select message_id from outbound_text
  where state = 'UNKNOWN' and handed_at <= now() - %(after)s
    and (lease_until is null or lease_until <= now())
  order by lease_until nulls first
  limit %(most)s
  for no key update skip locked
),
claimed as (
  update outbound_text o set lease_until = now() + %(again)s
  where o.message_id = any(array(select message_id from due))
  returning o.message_id, o.team_id, o.fence, o.created_at, o.handed_at, o.messaging_service_sid
)
{_SHOWN}
"""

_PUT_BACK = """
update outbound_text o
set state = 'QUEUED', due_at = now() + %(wait)s, lease_until = null, unknown_because = null
from unnest(%(ids)s::bigint[], %(fences)s::int[]) as given (message_id, fence)
where o.message_id = any(%(ids)s) and o.message_id = given.message_id and o.fence = given.fence
  and o.state in ('SENDING', 'UNKNOWN')
"""

_MARK_UNKNOWN = """
update outbound_text set state = 'UNKNOWN', lease_until = null, unknown_because = %s
where message_id = %s and fence = %s and state = 'SENDING'
"""

_MARK_ABANDONED = """
update outbound_text set state = 'UNKNOWN', lease_until = null, unknown_because = %s
where state = 'SENDING' and lease_until < now()
returning message_id
"""

_FORGET_KEYS = """
update outbound_text set idempotency_key = null, fingerprint = null
where message_id = any(array(
  select message_id from outbound_text
  where idempotency_key is not null and created_at < now() - %s and state = 'DONE'
  limit %s
))
"""

_LIST_UNKNOWN = """
select o.message_id, o.team_id, m.contact_number, o.handed_at, o.unknown_because
from outbound_text o left join message m on m.id = o.message_id
where o.state = 'UNKNOWN' order by o.handed_at limit %s
"""

_FENCE_OF_UNKNOWN = "select fence from outbound_text where message_id = %s and state = 'UNKNOWN'"
