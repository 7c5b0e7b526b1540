"""From which account at a provider a contact is texted.

The campaign's own, else the one from which the team texts this cell already, else one of the
team's, which stays the cell's from then on. Where DEFAULT_SERVICE is fakeservice there are none.
"""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import class_row

from services.providers import MessagingService
from services.settings import DefaultService

SPOKEN = frozenset(DefaultService)
"""The providers that we can hand texts to, by the name that a message has as its service."""

# What services/send_facts.py asks beside the rest, for a contact `c` of `campaign`. Where several
# could be chosen it is by a hash and not, as Spoke does, by chance: a repeat gets the same one, and
# one that is added takes over only its share.
COLUMNS = """
  service.service_type::text, service.messaging_service_sid,
  campaign.messaging_service_sid is null and stick.cell is null
"""
JOINS = """
left join messaging_service_stick stick
  on stick.cell = c.cell and stick.organization_id = campaign.organization_id
left join messaging_service service on service.messaging_service_sid = coalesce(
  campaign.messaging_service_sid,
  stick.messaging_service_sid,
  (
    select own.messaging_service_sid from messaging_service own
    where own.organization_id = campaign.organization_id and own.active
      and own.service_type = 'twilio'
    order by md5(own.messaging_service_sid || c.cell) limit 1
  )
)
"""


async def services_by_sid(
    connection: AsyncConnection, sids: Sequence[str]
) -> list[MessagingService | None]:
    """For each sid Twilio's service of that name. One statement."""
    async with connection.cursor(row_factory=class_row(MessagingService)) as cursor:
        await cursor.execute(_BY_SID, [list(sids)], prepare=True)
        found = {service.sid: service for service in await cursor.fetchall()}
    return [found.get(sid) for sid in sids]


async def services_of_texts(
    connection: AsyncConnection, message_ids: Sequence[int]
) -> list[MessagingService | None]:
    """For each of our texts the service by which it goes out. One statement."""
    cursor = await connection.execute(_OF_TEXTS, [list(message_ids)], prepare=True)
    found = {row[0]: MessagingService(*row[1:]) for row in await cursor.fetchall()}
    return [found.get(message_id) for message_id in message_ids]


_BY_SID = """
select messaging_service_sid as sid, account_sid, encrypted_auth_token from messaging_service
where messaging_service_sid = any((select %s::text[])::text[]) and service_type = 'twilio'
"""

_OF_TEXTS = """
select message_id, messaging_service_sid, account_sid, encrypted_auth_token
from outbound_text join messaging_service using (messaging_service_sid)
where message_id = any((select %s::bigint[])::bigint[]) and service_type = 'twilio'
"""
