"""Tags: a team's, and those of conversations.

A tag that is not assignable is an escalation: a conversation that gets one is taken from its
texter, whoever that is, and is handed to those who deal with such. As in Spoke.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Campaign
from models.contacts import CampaignContact
from models.tags import ContactTag, Tag
from services.access import Actor
from services.errors import InvalidInput

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


async def is_escalation(session: AsyncSession, tag_ids: Sequence[int]) -> bool:
    """Whether one of these tags is."""
    found = exists().where(Tag.id.in_(tag_ids), Tag.is_assignable.is_(False))
    return bool(await session.scalar(select(found)))


async def tag_contact(
    session: AsyncSession,
    actor: Actor,
    contact: CampaignContact,
    *,
    added: Sequence[int],
    removed: Sequence[int],
) -> None:
    """Takes the one tags away and sets the others, for a contact that the caller has locked.

    Who set a tag that is there already stays. Raises InvalidInput.
    """
    tags = await _tags_of_the_team(session, contact, added)
    await session.execute(
        delete(ContactTag).where(
            ContactTag.campaign_contact_id == contact.id, ContactTag.tag_id.in_(removed)
        )
    )
    if not tags:
        return
    wanted = [
        {"campaign_contact_id": contact.id, "tag_id": tag.id, "tagger_id": actor.user_id}
        for tag in tags
    ]
    await session.execute(insert(ContactTag).values(wanted).on_conflict_do_nothing())
    if not all(tag.is_assignable for tag in tags):
        contact.assignment_id = None


async def _tags_of_the_team(
    session: AsyncSession, contact: CampaignContact, tag_ids: Sequence[int]
) -> Sequence[Tag]:
    found = await session.scalars(
        select(Tag)
        .join(Campaign, Campaign.organization_id == Tag.organization_id)
        .where(Campaign.id == contact.campaign_id, Tag.id.in_(tag_ids), Tag.deleted_at.is_(None))
        .order_by(Tag.id)
    )
    tags = found.all()
    if len(tags) != len(set(tag_ids)):
        raise InvalidInput("There is no such tag in this team.")
    return tags
