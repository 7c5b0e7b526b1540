"""Campaigns and assignments, and who may look at them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import exists, false, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.campaigns import Assignment, Campaign
from models.contacts import CampaignContact
from models.users import Membership
from services.access import Actor, Role, require_part, role_in_team
from services.errors import NotFound
from services.pages import require_page
from services.scripts import read_custom_fields
from services.texts import checked_or_none, well_formed

MOST_TODOS = 1000
MOST_CAMPAIGNS = 100


async def get_campaign(session: AsyncSession, actor: Actor, *, campaign_id: int) -> Campaign:
    """For those who text it, and SUPERVOLUNTEERs and above. Raises Forbidden, NotFound."""
    campaign = await session.get(Campaign, campaign_id)
    if campaign is None or campaign.is_template:
        raise NotFound("There is no such campaign.")
    has_part = await session.scalar(
        select(
            exists().where(
                Assignment.campaign_id == campaign_id, Assignment.user_id == actor.user_id
            )
        )
    )
    role = await role_in_team(session, actor.user_id, campaign.organization_id)
    require_part(actor, role, has_part=bool(has_part))
    return campaign


async def get_assignment(session: AsyncSession, actor: Actor, *, assignment_id: int) -> Assignment:
    """For its texter, and SUPERVOLUNTEERs and above. Raises Forbidden, NotFound."""
    assignment = await session.get(Assignment, assignment_id)
    if assignment is None:
        raise NotFound("There is no such assignment.")
    campaign = await session.get_one(Campaign, assignment.campaign_id)
    role = await role_in_team(session, actor.user_id, campaign.organization_id)
    require_part(actor, role, has_part=assignment.user_id == actor.user_id)
    return assignment


async def todos_of_user(
    session: AsyncSession, *, user_id: int, organization_id: int | None
) -> Sequence[Assignment]:
    """Their assignments in started campaigns that aren't archived, of one team or all of theirs.

    Who left a team, or is suspended there, has none."""
    query = (
        select(Assignment)
        .join(Campaign, Campaign.id == Assignment.campaign_id)
        .join(Membership, Membership.organization_id == Campaign.organization_id)
        .where(
            Assignment.user_id == user_id,
            Membership.user_id == user_id,
            Membership.role != Role.SUSPENDED,
            Campaign.is_started.is_(True),
            Campaign.is_archived.is_not(True),
            ~Campaign.is_template,
        )
        .order_by(Assignment.id)
        .limit(MOST_TODOS)
    )
    if organization_id is not None:
        query = query.where(Campaign.organization_id == organization_id)
    return (await session.scalars(query)).all()


class Page(NamedTuple):
    search: str | None
    limit: int
    offset: int


class Wanted(NamedTuple):
    """A page of a team's campaigns."""

    team_id: int
    page: Page


def page_of_campaigns(search: str | None, limit: int, offset: int) -> Page:
    """Raises InvalidInput."""
    require_page(limit, offset, most=MOST_CAMPAIGNS)
    return Page(checked_or_none(search, "The search", longest=200), limit, offset)


async def campaigns_of_teams(
    session: AsyncSession, wanted: Sequence[Wanted]
) -> list[list[Campaign]]:
    """For each page wanted its campaigns that aren't archived, newest first. One statement per
    distinct Page."""
    teams_by_page: dict[Page, list[int]] = defaultdict(list)
    for team_id, page in wanted:
        teams_by_page[page].append(team_id)
    found: dict[Wanted, list[Campaign]] = defaultdict(list)
    for page, team_ids in teams_by_page.items():
        for campaign in await _newest_campaigns(session, team_ids, page):
            found[Wanted(campaign.organization_id, page)].append(campaign)
    return [found[want] for want in wanted]


async def _newest_campaigns(
    session: AsyncSession, team_ids: Sequence[int], page: Page
) -> Sequence[Campaign]:
    position = func.row_number().over(
        partition_by=Campaign.organization_id, order_by=Campaign.id.desc()
    )
    ranked = select(Campaign, position.label("position")).where(
        Campaign.organization_id.in_(team_ids),
        Campaign.is_archived.is_not(True),
        ~Campaign.is_template,
    )
    if page.search is not None:
        ranked = ranked.where(Campaign.title.icontains(page.search, autoescape=True))
    chosen = ranked.subquery()
    campaigns = await session.scalars(
        select(aliased(Campaign, chosen))
        .where(chosen.c.position > page.offset, chosen.c.position <= page.offset + page.limit)
        .order_by(chosen.c.id.desc())
    )
    return campaigns.all()


async def campaigns_with_unassigned_contacts(
    session: AsyncSession, campaign_ids: Sequence[int]
) -> list[bool]:
    """For each campaign, whether somebody still has to take contacts of it."""
    waiting = exists().where(
        CampaignContact.campaign_id == Campaign.id,
        CampaignContact.assignment_id.is_(None),
        CampaignContact.archived == false(),  # as Spoke's partial indexes say it
    )
    found = set(
        await session.scalars(select(Campaign.id).where(Campaign.id.in_(campaign_ids), waiting))
    )
    return [campaign_id in found for campaign_id in campaign_ids]


async def custom_fields_of_campaigns(
    session: AsyncSession, campaign_ids: Sequence[int]
) -> list[list[str]]:
    """For each campaign the names of its contacts' custom fields: those of any of them, which is
    not the same as looking through them all for the first."""
    some_contact = (
        select(CampaignContact.custom_fields)
        .where(CampaignContact.campaign_id == Campaign.id)
        .limit(1)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(Campaign.id, some_contact).where(Campaign.id.in_(campaign_ids))
    )
    found = {
        campaign_id: [well_formed(name) for name in read_custom_fields(fields or "")]
        for campaign_id, fields in rows
    }
    return [found.get(campaign_id, []) for campaign_id in campaign_ids]
