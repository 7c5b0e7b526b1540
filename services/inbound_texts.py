"""Texts from contacts: saved where Spoke looks for them, once each; a stop-word opts out.

They cost nothing and are taken at any balance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import orjson
from psycopg import AsyncConnection
from psycopg.rows import class_row

from services.opt_outs import record_opt_out
from services.settings import Settings

STOP_WORDS = frozenset(
    {
        "stop",
        "stop all",
        "stopall",
        "stop2quit",
        "stop 2 quit",
        "stop=quit",
        "stop = quit",
        "stop to quit",
        "stoptoquit",
        "unsub",
        "unsubscribe",
        "cancel",
        "end",
        "quit",
        "revoke",
        "optout",
        "opt out",
        "opt-out",
    }
)
"""Spoke's and Twilio's; a text that is nothing else is one."""
REASON = "Automatic OptOut"
"""By which Spoke tells these opt-outs from those that a texter made."""
LOCK_SECONDS = 3
_LOCK_CLASS = 724_196
"""Of advisory locks, the kind by which one text at a time is saved of a cell."""


@dataclass(frozen=True, slots=True)
class InboundText:
    """`service_id`: the provider's id of it; `number`: at which it came in; `says_stop`: the
    provider has understood it so; `response`: all that the provider says of it."""

    service_id: str
    messaging_service_sid: str
    cell: str
    number: str
    body: str
    segments: int
    media_urls: tuple[str, ...]
    says_stop: bool
    response: Mapping[str, str]

    @property
    def text(self) -> str:
        """As texters read it. They are spared what strangers send along."""
        count = len(self.media_urls)
        if not count:
            return self.body
        note = f"({count} attachment{'s' if count > 1 else ''}, not shown here)"
        return f"{self.body}\n\n{note}" if self.body else note

    @property
    def is_stop(self) -> bool:
        said = " ".join(self.body.casefold().strip(" \t\r\n.,!'\"“”").split())
        return self.says_stop or said in STOP_WORDS


class Saved(StrEnum):
    REPLY = "REPLY"
    OPT_OUT = "OPT_OUT"
    UNSOLICITED = "UNSOLICITED"
    """From somebody whom the team has never texted. Should it be a stop-word, it has opted out."""
    REPEAT = "REPEAT"


class _Place(NamedTuple):
    """Where a text belongs. `team_id` is None for a service that is no team's; `contact_id` and
    `assignment_id`: of the last text to this cell, None if there was none."""

    team_id: int | None
    is_repeat: bool
    contact_id: int | None
    assignment_id: int | None


async def save_inbound(connection: AsyncConnection, settings: Settings, text: InboundText) -> Saved:
    """In the caller's transaction, and once, however often and at once it comes.

    The messaging service must exist. Raises LockNotAvailable where somebody holds the contact.
    """
    await connection.execute(_LOCK, [f"{LOCK_SECONDS}s", _LOCK_CLASS, text.cell])
    place = await _place_of(connection, text)
    if place.is_repeat:
        return Saved.REPEAT
    if place.contact_id is None:
        await _save_unsolicited(connection, text)
    else:
        await _save_reply(connection, text, place)
    if text.is_stop and place.team_id is not None:
        await record_opt_out(
            connection,
            settings,
            cell=text.cell,
            team_id=place.team_id,
            assignment_id=place.assignment_id,
            reason=REASON,
        )
    if place.contact_id is None:
        return Saved.UNSOLICITED
    return Saved.OPT_OUT if text.is_stop else Saved.REPLY


async def _place_of(connection: AsyncConnection, text: InboundText) -> _Place:
    async with connection.cursor(row_factory=class_row(_Place)) as cursor:
        await cursor.execute(
            _PLACE,
            {
                "service": text.messaging_service_sid,
                "service_id": text.service_id,
                "cell": text.cell,
            },
        )
        place = await cursor.fetchone()
    assert place is not None
    return place


async def _save_reply(connection: AsyncConnection, text: InboundText, place: _Place) -> None:
    await connection.execute(
        _REPLY,
        {
            "contact": place.contact_id,
            "assignment": place.assignment_id,
            "cell": text.cell,
            "number": text.number,
            "text": text.text,
            "service_id": text.service_id,
            "response": _json([text.response]),
            "segments": text.segments,
            "media": len(text.media_urls),
            "status": "closed" if text.is_stop else "needsResponse",
        },
    )


async def _save_unsolicited(connection: AsyncConnection, text: InboundText) -> None:
    await connection.execute(
        _UNSOLICITED,
        {
            "service": text.messaging_service_sid,
            "service_id": text.service_id,
            "cell": text.cell,
            "body": text.body,
            "segments": text.segments,
            "media": len(text.media_urls),
            "urls": list(text.media_urls),
            "response": _json(text.response),
        },
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


_LOCK = "select set_config('lock_timeout', %s, true), pg_advisory_xact_lock(%s, hashtext(%s))"

_PLACE = """
select service.organization_id as team_id,
  exists (select from message m where m.service_id = %(service_id)s and m.is_from_contact)
  or exists (
    select from (select service_id from unsolicited_message order by id desc limit 1000) recent
    where recent.service_id = %(service_id)s
  ) as is_repeat,
  last_text.contact_id, last_text.assignment_id
from messaging_service service
left join lateral (
  select m.campaign_contact_id as contact_id, m.assignment_id
  from campaign_contact c
  join campaign on campaign.id = c.campaign_id
    and campaign.organization_id = service.organization_id
    and coalesce(campaign.messaging_service_sid, service.messaging_service_sid)
      = service.messaging_service_sid
  join message m on m.campaign_contact_id = c.id and not m.is_from_contact
  where c.cell = %(cell)s
  order by m.created_at desc, m.id desc limit 1
) last_text on true
where service.messaging_service_sid = %(service)s
"""

_REPLY = """
with written as (
  insert into message (campaign_contact_id, assignment_id, contact_number, user_number,
    is_from_contact, text, service, service_id, service_response, send_status, num_segments,
    num_media)
  values (%(contact)s, %(assignment)s, %(cell)s, %(number)s,
    true, %(text)s, 'twilio', %(service_id)s, %(response)s, 'DELIVERED', %(segments)s, %(media)s)
)
update campaign_contact set message_status = %(status)s where id = %(contact)s
"""

_UNSOLICITED = """
insert into unsolicited_message (messaging_service_sid, service_id, from_number, body,
  num_segments, num_media, media_urls, service_response)
values (%(service)s, %(service_id)s, %(cell)s, %(body)s,
  %(segments)s, %(media)s, %(urls)s, %(response)s)
"""
