"""Tags: an organization's, and those of conversations."""

from collections.abc import Awaitable
from typing import Any

import strawberry

from models.contacts import CampaignContact
from models.organizations import Organization
from resolvers.context import Info
from services.teams import require_visible


async def tag_list(root: strawberry.Parent[Organization], info: Info) -> Any:
    loaders = info.context.loaders
    require_visible(info.context.actor, await loaders.teams.load(root.id))
    return await loaders.tags.load(root.id)


def contact_tags(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.loaders.contact_tags.load(root.id)
