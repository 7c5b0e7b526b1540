"""Contacts: one, or an assignment's, by the filter that Spoke's client sends."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from sqlalchemy import ColumnElement, and_, extract, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Assignment, Campaign
from models.contacts import CampaignContact, OptOut, ZipCode
from services.access import Actor
from services.campaigns import get_assignment, require_part
from services.errors import InvalidInput, NotFound
from services.settings import Settings

MOST_CONTACTS = 10_000
STATUSES = frozenset({"needsMessage", "needsResponse", "convo", "messaged", "closed"})


class ContactsFilter(NamedTuple):
    """None: don't care. `message_statuses` are Spoke's; `textable_now`: within texting hours."""

    message_statuses: tuple[str, ...] | None = None
    is_opted_out: bool | None = None
    textable_now: bool | None = None
    include_past_due: bool | None = None


class ContactsWanted(NamedTuple):
    assignment_id: int
    filter: ContactsFilter


def parse_statuses(value: str | None) -> tuple[str, ...] | None:
    """`needsMessageOrResponse` stands for both; several are separated by commas."""
    if not value:
        return None
    names = value.replace("needsMessageOrResponse", "needsMessage,needsResponse").split(",")
    if unknown := set(names) - STATUSES:
        raise InvalidInput(f"There is no message status {', '.join(sorted(unknown))}.")
    return tuple(names)


async def get_contact(session: AsyncSession, actor: Actor, *, contact_id: int) -> CampaignContact:
    """For the texter who has it, and SUPERVOLUNTEERs and above. Raises Forbidden, NotFound."""
    contact = await session.get(CampaignContact, contact_id)
    if contact is None:
        raise NotFound("There is no such contact.")
    campaign = await session.get_one(Campaign, contact.campaign_id)
    holder = await session.scalar(
        select(Assignment.user_id).where(Assignment.id == contact.assignment_id)
    )
    await require_part(session, actor, campaign.organization_id, has_part=holder == actor.user_id)
    return contact


async def chosen_contacts(
    session: AsyncSession, actor: Actor, *, assignment_id: int, contact_ids: Sequence[int]
) -> list[CampaignContact | None]:
    """For each id its contact, None where it is no longer the assignment's.

    For its texter, and SUPERVOLUNTEERs and above. Raises Forbidden, InvalidInput, NotFound.
    """
    if len(contact_ids) > MOST_CONTACTS:
        raise InvalidInput(f"Those are more than {MOST_CONTACTS:,} contacts.")
    await get_assignment(session, actor, assignment_id=assignment_id)
    rows = await session.scalars(
        select(CampaignContact).where(
            CampaignContact.id.in_(contact_ids), CampaignContact.assignment_id == assignment_id
        )
    )
    found = {contact.id: contact for contact in rows}
    return [found.get(contact_id) for contact_id in contact_ids]


async def lock_contact(session: AsyncSession, actor: Actor, *, contact_id: int) -> CampaignContact:
    """For the same people. Two who change a conversation at once do it one after the other."""
    contact = await get_contact(session, actor, contact_id=contact_id)
    await session.refresh(contact, with_for_update={"key_share": True})
    return contact


async def set_message_status(
    session: AsyncSession, actor: Actor, *, contact_id: int, status: str
) -> CampaignContact:
    """For the same people. Raises Forbidden, InvalidInput, NotFound."""
    if status not in STATUSES:
        raise InvalidInput(f"messageStatus must be one of {', '.join(sorted(STATUSES))}.")
    contact = await lock_contact(session, actor, contact_id=contact_id)
    contact.message_status = status
    return contact


class Contact(NamedTuple):
    """What clients are shown of a contact."""

    id: int
    assignment_id: int | None
    external_id: str
    first_name: str
    last_name: str
    cell: str
    zip: str
    custom_fields: str
    timezone: str | None
    message_status: str


async def contacts_by_id(connection: AsyncConnection, ids: Sequence[int]) -> list[Contact | None]:
    """For each id its contact, for callers that may see it. One statement."""
    cursor = await connection.execute(_BY_ID, [list(ids)], prepare=True)
    found = {row[0]: Contact(*row) for row in await cursor.fetchall()}
    return [found.get(contact_id) for contact_id in ids]


# The sub-query: see services/send_facts.py.
_BY_ID = f"""
select {", ".join(Contact._fields)} from campaign_contact
where id = any((select %s::int[])::int[])
"""


async def contacts_of_assignments(
    session: AsyncSession, wanted: Sequence[ContactsWanted]
) -> list[list[CampaignContact]]:
    """For each wish its contacts, by id. One statement per distinct filter."""
    found: dict[ContactsWanted, list[CampaignContact]] = defaultdict(list)
    for chosen, ids in _assignments_by_filter(wanted).items():
        query = _matching(select(CampaignContact), chosen, ids).order_by(CampaignContact.id)
        for contact in await session.scalars(query.limit(MOST_CONTACTS)):
            assert contact.assignment_id is not None
            found[ContactsWanted(contact.assignment_id, chosen)].append(contact)
    return [found[want] for want in wanted]


async def contact_counts_of_assignments(
    session: AsyncSession, wanted: Sequence[ContactsWanted]
) -> list[int]:
    """For each wish how many contacts. One statement per distinct filter."""
    found: dict[ContactsWanted, int] = defaultdict(int)
    for chosen, ids in _assignments_by_filter(wanted).items():
        query = _matching(
            select(CampaignContact.assignment_id, func.count()), chosen, ids
        ).group_by(CampaignContact.assignment_id)
        for assignment_id, count in await session.execute(query):
            found[ContactsWanted(assignment_id, chosen)] = count
    return [found[want] for want in wanted]


def _assignments_by_filter(
    wanted: Sequence[ContactsWanted],
) -> dict[ContactsFilter, list[int]]:
    grouped: dict[ContactsFilter, list[int]] = defaultdict(list)
    for assignment_id, chosen in wanted:
        grouped[chosen].append(assignment_id)
    return grouped


def _matching(query: Any, chosen: ContactsFilter, assignment_ids: Sequence[int]) -> Any:
    """The select `query`, narrowed."""
    query = query.join(Campaign, Campaign.id == CampaignContact.campaign_id).where(
        CampaignContact.assignment_id.in_(assignment_ids), CampaignContact.archived.is_(False)
    )
    if chosen.message_statuses is not None:
        query = query.where(CampaignContact.message_status.in_(chosen.message_statuses))
    if chosen.is_opted_out is not None:
        query = query.where(CampaignContact.is_opted_out.is_(chosen.is_opted_out))
    if chosen.textable_now is not None:
        query = query.where(_textable_now() == chosen.textable_now)
    if chosen.include_past_due is False:
        query = query.where(or_(Campaign.due_by.is_(None), Campaign.due_by > func.now()))
    return query


def _textable_now() -> ColumnElement[bool]:
    zone = func.coalesce(func.nullif(CampaignContact.timezone, ""), Campaign.timezone)
    hour = extract("hour", func.timezone(zone, func.now()))
    start, end = Campaign.texting_hours_start, Campaign.texting_hours_end
    return or_(and_(start == 0, end == 24), and_(hour >= start, hour < end))


async def opt_outs_of_contacts(
    session: AsyncSession, settings: Settings, contact_ids: Sequence[int]
) -> list[OptOut | None]:
    """For each contact the opt-out that stops texts to it, if any."""
    same_team = (
        OptOut.organization_id.is_not(None)
        if settings.optouts_share_all_orgs
        else OptOut.organization_id == Campaign.organization_id
    )
    rows = await session.execute(
        select(CampaignContact.id, OptOut)
        .join(Campaign, Campaign.id == CampaignContact.campaign_id)
        .join(OptOut, and_(OptOut.cell == CampaignContact.cell, same_team))
        .where(CampaignContact.id.in_(contact_ids))
    )
    found: dict[int, OptOut] = dict(rows.all())
    return [found.get(contact_id) for contact_id in contact_ids]


async def places_by_zip(session: AsyncSession, zips: Sequence[str]) -> list[ZipCode | None]:
    """For each zip code its place. Of longer codes, the first five digits count."""
    codes = [code.strip()[:5] for code in zips]
    places = await session.scalars(select(ZipCode).where(ZipCode.zip.in_(set(codes))))
    found = {place.zip: place for place in places}
    return [found.get(code) for code in codes]
