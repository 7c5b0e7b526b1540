"""Conversations, as they were."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.messages import Message

MOST_MESSAGES = 10_000


async def messages_of_contacts(
    session: AsyncSession, contact_ids: Sequence[int]
) -> list[list[Message]]:
    """For each contact its messages, oldest first. One statement."""
    messages = await session.scalars(
        select(Message)
        .where(Message.campaign_contact_id.in_(contact_ids))
        .order_by(Message.created_at, Message.id)
        .limit(MOST_MESSAGES)
    )
    found: dict[int | None, list[Message]] = defaultdict(list)
    for message in messages:
        found[message.campaign_contact_id].append(message)
    return [found[contact_id] for contact_id in contact_ids]
