"""Requests for texts."""

from collections.abc import Awaitable
from typing import Any

import strawberry

from models.organizations import Organization
from models.users import User
from resolvers.context import Info
from resolvers.ids import group_id, spoke_id
from services import assignment_requests
from services.access import require_self


async def request_texts(
    info: Info, count: int, email: str, organization_id: str, preferred_team_id: str
) -> str:
    """`email`: as in Spoke, it is for the person signed in, whatever it says."""
    context = info.context
    async with context.transaction() as session:
        return await assignment_requests.request_texts(
            session,
            context.settings,
            context.actor,
            organization_id=spoke_id(organization_id, "organizationId"),
            count=count,
            group_id=group_id(preferred_team_id, "preferredTeamId"),
        )


async def find_new_campaign_contact(info: Info, assignment_id: str, number_contacts: int) -> Any:
    context = info.context
    async with context.transaction() as session:
        return await assignment_requests.find_new_contacts(
            session,
            context.settings,
            context.actor,
            assignment_id=spoke_id(assignment_id, "assignmentId"),
            number=number_contacts,
        )


async def release_my_replies(info: Info, organization_id: str) -> bool:
    async with info.context.transaction() as session:
        await assignment_requests.release_my_replies(
            session,
            info.context.actor,
            organization_id=spoke_id(organization_id, "organizationId"),
        )
    return True


async def current_request(root: strawberry.Parent[User], info: Info, organization_id: str) -> Any:
    require_self(info.context.actor, root.id)
    async with info.context.read() as session:
        return await assignment_requests.current_request(
            session,
            user_id=root.id,
            organization_id=spoke_id(organization_id, "organizationId"),
        )


def my_targets(root: strawberry.Parent[Organization], info: Info) -> Awaitable[Any]:
    return info.context.loaders.targets.load(root.id)
