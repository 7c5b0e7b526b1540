"""Organizations: the same rows as teams, as Spoke's client calls them."""

from typing import Any

import strawberry

from models.organizations import Organization
from resolvers.context import Info
from resolvers.ids import spoke_id
from services import organizations
from services.teams import require_visible


async def organization(info: Info, id: str) -> Any:
    async with info.context.read() as session:
        return await organizations.get_organization(
            session, info.context.actor, organization_id=spoke_id(id, "id")
        )


async def list_organizations(info: Info, active: bool | None = None) -> Any:
    async with info.context.read() as session:
        return await organizations.list_organizations(session, info.context.actor, active=active)


async def team(root: strawberry.Parent[Organization], info: Info) -> Any:
    return require_visible(info.context.actor, await info.context.loaders.teams.load(root.id))


def deleted_at(root: strawberry.Parent[Organization]) -> str | None:
    return str(int(root.deleted_at.timestamp() * 1000)) if root.deleted_at else None
