"""Settings of an organization, each with who may read it."""

from collections.abc import Callable
from typing import Any

import strawberry

from models.organizations import Organization
from resolvers.context import Info
from resolvers.ids import spoke_id
from schema.inputs import OrganizationSettingsInput
from services.access import Role
from services.organization_settings import (
    OrganizationSettings,
    edit_settings,
    features_of,
    require_reader,
)
from services.teams import require_visible


def setting(name: str) -> Callable[..., Any]:
    def resolve(root: strawberry.Parent[OrganizationSettings], info: Info) -> Any:
        return root.shown(info.context.actor, name)

    return resolve


def credits_enabled(root: strawberry.Parent[OrganizationSettings], info: Info) -> bool:
    require_reader(info.context.actor, root.team, Role.TEXTER)
    return root.team.credits_enabled


async def settings(root: strawberry.Parent[Organization], info: Info) -> OrganizationSettings:
    team = require_visible(info.context.actor, await info.context.loaders.teams.load(root.id))
    return OrganizationSettings(team, features_of(root))


async def opt_out_message(root: strawberry.Parent[Organization], info: Info) -> str:
    found: str = (await settings(root, info)).shown(info.context.actor, "opt_out_message")
    return found


async def edit_organization_settings(
    info: Info, id: str, input: OrganizationSettingsInput
) -> OrganizationSettings:
    changes = {name: value for name, value in vars(input).items() if value is not strawberry.UNSET}
    async with info.context.transaction() as session:
        organization = await edit_settings(
            session, info.context.actor, organization_id=spoke_id(id, "id"), changes=changes
        )
    return await settings(organization, info)


def three_click_enabled(root: strawberry.Parent[Organization]) -> bool:
    """Spoke finds the word wherever it stands."""
    return "threeClick" in (root.features or "")
