"""Contacts: one, or an assignment's, by the filter that Spoke's client sends."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    extract,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Assignment, Campaign
from models.contacts import CampaignContact, ZipCode
from models.users import Membership
from services.access import Actor, require_part
from services.campaigns import get_assignment
from services.errors import InvalidInput, NotFound

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
    return await _permitted(session, actor, contact_id, _WITH_HOLDER)


async def lock_contact(session: AsyncSession, actor: Actor, *, contact_id: int) -> CampaignContact:
    """For the same people. Two who change a conversation at once do it one after the other."""
    return await _permitted(session, actor, contact_id, _LOCKED_WITH_HOLDER)


async def _permitted(
    session: AsyncSession, actor: Actor, contact_id: int, query: Select[CampaignContact, int, str]
) -> CampaignContact:
    wanted = {"contact_id": contact_id, "user_id": actor.user_id}
    row = (await session.execute(query, wanted)).one_or_none()
    if row is None:
        raise NotFound("There is no such contact.")
    contact, holder, role = row
    require_part(actor, role, has_part=holder == actor.user_id)
    return contact


_WITH_HOLDER = (
    select(CampaignContact, Assignment.user_id, Membership.role)
    .join(Campaign, Campaign.id == CampaignContact.campaign_id)
    .outerjoin(Assignment, Assignment.id == CampaignContact.assignment_id)
    .outerjoin(
        Membership,
        and_(
            Membership.organization_id == Campaign.organization_id,
            Membership.user_id == bindparam("user_id"),
        ),
    )
    .where(CampaignContact.id == bindparam("contact_id"))
)
_LOCKED_WITH_HOLDER = _WITH_HOLDER.with_for_update(
    key_share=True, of=CampaignContact
).execution_options(populate_existing=True)


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
    ids_by_filter: dict[ContactsFilter, list[int]] = defaultdict(list)
    for assignment_id, chosen in wanted:
        ids_by_filter[chosen].append(assignment_id)
    found: dict[ContactsWanted, list[CampaignContact]] = defaultdict(list)
    for chosen, ids in ids_by_filter.items():
        query = (
            select(CampaignContact)
            .join(Campaign, Campaign.id == CampaignContact.campaign_id)
            .where(CampaignContact.assignment_id.in_(ids), _IS_CURRENT, _matches(chosen))
            .order_by(CampaignContact.id)
            .limit(MOST_CONTACTS)
        )
        for contact in await session.scalars(query):
            assert contact.assignment_id is not None
            found[ContactsWanted(contact.assignment_id, chosen)].append(contact)
    return [found[want] for want in wanted]


async def contact_counts_of_assignments(
    session: AsyncSession, wanted: Sequence[ContactsWanted]
) -> list[int]:
    """For each wish how many contacts. One statement for them all: each texter asks every ten
    seconds, with six filters."""
    kinds: dict[int, list[Row[Any]]] = defaultdict(list)
    ids = {want.assignment_id for want in wanted}
    for kind in await session.execute(_KINDS, {"assignment_ids": ids}):
        kinds[kind.assignment_id].append(kind)
    return [
        sum(kind.contacts for kind in kinds[assignment_id] if _is_chosen(kind, chosen))
        for assignment_id, chosen in wanted
    ]


def _is_chosen(kind: Row[Any], chosen: ContactsFilter) -> bool:
    """The same as `_matches`, for one of _KINDS."""
    return (
        (chosen.message_statuses is None or kind.message_status in chosen.message_statuses)
        and (chosen.is_opted_out is None or kind.is_opted_out == chosen.is_opted_out)
        and (chosen.textable_now is None or kind.is_textable == chosen.textable_now)
        and (chosen.include_past_due is not False or not kind.is_past_due)
    )


def _matches(chosen: ContactsFilter) -> ColumnElement[bool]:
    """For contacts with their campaigns."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.message_statuses is not None:
        conditions.append(CampaignContact.message_status.in_(chosen.message_statuses))
    if chosen.is_opted_out is not None:
        conditions.append(CampaignContact.is_opted_out.is_(chosen.is_opted_out))
    if chosen.textable_now is not None:
        conditions.append(_is_textable(CampaignContact.timezone) == chosen.textable_now)
    if chosen.include_past_due is False:
        conditions.append(not_(_IS_PAST_DUE))
    return and_(true(), *conditions)


def _is_textable(timezone: SQLColumnExpression[str | None]) -> ColumnElement[bool]:
    """Whether it is within texting hours for a contact with this time zone."""
    zone = func.coalesce(func.nullif(timezone, ""), Campaign.timezone)
    hour = extract("hour", func.timezone(zone, func.now()))
    start, end = Campaign.texting_hours_start, Campaign.texting_hours_end
    return or_(and_(start == 0, end == 24), and_(hour >= start, hour < end))


_IS_PAST_DUE = func.coalesce(Campaign.due_by <= func.now(), false())
# `is false` would hide it from Spoke's partial indexes.
_IS_CURRENT = CampaignContact.archived == false()


def _kinds_of_contacts() -> Select[Any]:
    """Contacts of `assignment_ids` counted by all that a filter may ask. Before the time of day is
    worked out they are counted by time zone, so that it's done for each of these and not for each
    contact."""
    alike = (
        CampaignContact.campaign_id,
        CampaignContact.assignment_id,
        CampaignContact.message_status,
        CampaignContact.is_opted_out,
        CampaignContact.timezone,
    )
    ids: BindParameter[Sequence[int]] = bindparam("assignment_ids", expanding=True)
    counted = (
        select(*alike, func.count().label("contacts"))
        .where(CampaignContact.assignment_id.in_(ids), _IS_CURRENT)
        .group_by(*alike)
        .subquery()
        .c
    )
    return select(
        counted.assignment_id,
        counted.message_status,
        counted.is_opted_out,
        _is_textable(counted.timezone).label("is_textable"),
        _IS_PAST_DUE.label("is_past_due"),
        counted.contacts,
    ).join(Campaign, Campaign.id == counted.campaign_id)


_KINDS = _kinds_of_contacts()  # once: building it costs as much as asking it


async def places_by_zip(session: AsyncSession, zips: Sequence[str]) -> list[ZipCode | None]:
    """For each zip code its place. Of longer codes, the first five digits count."""
    codes = [code.strip()[:5] for code in zips]
    places = await session.scalars(select(ZipCode).where(ZipCode.zip.in_(set(codes))))
    found = {place.zip: place for place in places}
    return [found.get(code) for code in codes]
