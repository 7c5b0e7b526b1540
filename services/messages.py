"""Conversations, as they were."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg import AsyncConnection

MOST_MESSAGES = 10_000


class Message(NamedTuple):
    """What clients are shown of a message."""

    contact_id: int
    id: int
    text: str
    user_id: int | None
    is_from_contact: bool
    created_at: datetime
    error_codes: list[str] | None


async def messages_of_contacts(
    connection: AsyncConnection, contact_ids: Sequence[int]
) -> list[list[Message]]:
    """For each contact its messages, oldest first. One statement."""
    asked = list(set(contact_ids))
    cursor = await connection.execute(_STATEMENT, [asked, MOST_MESSAGES], prepare=True)
    found: dict[int, list[Message]] = defaultdict(list)
    for row in await cursor.fetchall():
        message = Message(*row)
        found[message.contact_id].append(message)
    return [found[contact_id] for contact_id in contact_ids]


# MOST_MESSAGES of each: a long conversation must take nothing from its neighbours in the batch.
# The sub-query: see services/send_facts.py.
_STATEMENT = """
select message.* from unnest((select %s::int[])) as asked (contact_id) cross join lateral (
  select campaign_contact_id, id, text, user_id, is_from_contact, created_at, error_codes
  from message where campaign_contact_id = asked.contact_id order by created_at, id limit %s
) as message
order by created_at, id
"""
