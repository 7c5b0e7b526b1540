"""Campaigns and assignments."""

from collections.abc import Awaitable
from typing import Annotated, Any

import strawberry
from strawberry import argument

from models.campaigns import Assignment, Campaign
from resolvers.context import Info
from resolvers.ids import spoke_id
from resolvers.teams import Offset
from schema.inputs import ContactsFilter
from services import campaigns, contacts
from services.canned_responses import Wanted as ResponsesWanted
from services.preflight import Estimate, require_estimate_visible
from services.teams import Team, require_visible


async def campaign(info: Info, id: str) -> Any:
    async with info.context.read() as session:
        return await campaigns.get_campaign(
            session, info.context.actor, campaign_id=spoke_id(id, "id")
        )


async def assignment(info: Info, id: str) -> Any:
    async with info.context.read() as session:
        return await campaigns.get_assignment(
            session, info.context.actor, assignment_id=spoke_id(id, "id")
        )


def campaigns_of_team(
    root: strawberry.Parent[Team],
    info: Info,
    search: Annotated[
        str | None, argument(description="Only campaigns with this in their title, in any case.")
    ] = None,
    limit: Annotated[int, argument(description="The most campaigns to return, 1 to 100.")] = 50,
    offset: Offset = 0,
) -> Awaitable[list[Campaign]]:
    require_estimate_visible(info.context.actor, root)
    page = campaigns.page_of_campaigns(search, limit, offset)
    return info.context.loaders.campaigns_of_teams.load(campaigns.Wanted(root.id, page))


def organization(root: strawberry.Parent[Campaign], info: Info) -> Awaitable[Any]:
    return info.context.loaders.organizations.load(root.organization_id)


def has_unassigned_contacts(root: strawberry.Parent[Campaign], info: Info) -> Awaitable[bool]:
    return info.context.loaders.has_unassigned_contacts.load(root.id)


def custom_fields(root: strawberry.Parent[Campaign], info: Info) -> Awaitable[list[str]]:
    return info.context.loaders.custom_fields.load(root.id)


def interaction_steps(root: strawberry.Parent[Campaign], info: Info) -> Awaitable[Any]:
    return info.context.loaders.steps_of_campaigns.load(root.id)


def campaign_variables(root: strawberry.Parent[Campaign], info: Info) -> Awaitable[Any]:
    return info.context.loaders.campaign_variables.load(root.id)


def canned_responses(root: strawberry.Parent[Campaign], info: Info) -> Awaitable[Any]:
    return info.context.loaders.canned_responses.load(ResponsesWanted(root.id, None))


async def credit_estimate(root: strawberry.Parent[Campaign], info: Info) -> Estimate | None:
    team = await info.context.loaders.teams.load(root.organization_id)
    require_estimate_visible(info.context.actor, team)
    return await info.context.loaders.estimates.load(root.id)


async def credit_status(root: strawberry.Parent[Campaign], info: Info) -> Any:
    team = await info.context.loaders.teams.load(root.organization_id)
    return require_visible(info.context.actor, team).credit_status


async def assignment_credit_status(root: strawberry.Parent[Assignment], info: Info) -> Any:
    campaign = await info.context.loaders.campaigns.load(root.campaign_id)
    assert campaign is not None  # a foreign key says so
    return await credit_status(campaign, info)


def assignment_texter(root: strawberry.Parent[Assignment], info: Info) -> Awaitable[Any]:
    return info.context.loaders.users.load(root.user_id)


def assignment_campaign(root: strawberry.Parent[Assignment], info: Info) -> Awaitable[Any]:
    return info.context.loaders.campaigns.load(root.campaign_id)


def assignment_canned_responses(root: strawberry.Parent[Assignment], info: Info) -> Awaitable[Any]:
    return info.context.loaders.canned_responses.load(ResponsesWanted(root.campaign_id, None))


def user_canned_responses(root: strawberry.Parent[Assignment], info: Info) -> Awaitable[Any]:
    wanted = ResponsesWanted(root.campaign_id, root.user_id)
    return info.context.loaders.canned_responses.load(wanted)


def assignment_contacts(
    root: strawberry.Parent[Assignment], info: Info, contacts_filter: ContactsFilter | None = None
) -> Awaitable[Any]:
    return info.context.loaders.assigned_contacts.load(_wanted(root, contacts_filter))


def assignment_contacts_count(
    root: strawberry.Parent[Assignment], info: Info, contacts_filter: ContactsFilter | None = None
) -> Awaitable[int]:
    return info.context.loaders.assigned_contact_counts.load(_wanted(root, contacts_filter))


def _wanted(root: Assignment, chosen: ContactsFilter | None) -> contacts.ContactsWanted:
    chosen = chosen or ContactsFilter()
    return contacts.ContactsWanted(
        root.id,
        contacts.ContactsFilter(
            message_statuses=contacts.parse_statuses(chosen.message_status),
            is_opted_out=chosen.is_opted_out,
            textable_now=chosen.valid_timezone,
            include_past_due=chosen.include_past_due,
        ),
    )
