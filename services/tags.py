"""Tags: a team's, and those of conversations."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.tags import ContactTag, Tag

MOST_TAGS = 1000


class TagOfContact(NamedTuple):
    contact_id: int
    tag: Tag

    @property
    def id(self) -> str:
        return f"{self.contact_id}-{self.tag.id}"


async def tags_of_teams(session: AsyncSession, team_ids: Sequence[int]) -> list[list[Tag]]:
    """For each team its tags, those of the system first, then by title; at most MOST_TAGS."""
    found: dict[int, list[Tag]] = defaultdict(list)
    for tag in await session.scalars(
        select(Tag)
        .where(Tag.organization_id.in_(team_ids), Tag.deleted_at.is_(None))
        .order_by(Tag.is_system.desc(), Tag.title, Tag.id)
    ):
        found[tag.organization_id].append(tag)
    return [found[team_id][:MOST_TAGS] for team_id in team_ids]


async def tags_of_contacts(
    session: AsyncSession, contact_ids: Sequence[int]
) -> list[list[TagOfContact]]:
    """For each contact its tags, in the order in which they were set."""
    rows = await session.execute(
        select(ContactTag.campaign_contact_id, Tag)
        .join(Tag, Tag.id == ContactTag.tag_id)
        .where(ContactTag.campaign_contact_id.in_(contact_ids), Tag.deleted_at.is_(None))
        .order_by(ContactTag.created_at, Tag.id)
    )
    found: dict[int, list[TagOfContact]] = defaultdict(list)
    for contact_id, tag in rows:
        found[contact_id].append(TagOfContact(contact_id, tag))
    return [found[contact_id] for contact_id in contact_ids]
