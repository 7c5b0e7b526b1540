"""Notices: mail to people about a team's credits."""

from typing import Annotated, Any

import strawberry
from strawberry import argument

from models.notices import CreditNotice
from resolvers.context import Info
from resolvers.ids import spoke_id
from resolvers.teams import Offset, TeamId
from services import notices
from services.access import require_superadmin


async def list_notices(
    info: Info,
    team_id: TeamId,
    limit: Annotated[int, argument(description="The most notices to return, 1 to 500.")] = 100,
    offset: Offset = 0,
) -> Any:
    async with info.context.read() as session:
        return await notices.list_notices(
            session,
            info.context.actor,
            team_id=spoke_id(team_id, "teamId"),
            limit=limit,
            offset=offset,
        )


def error(root: strawberry.Parent[CreditNotice], info: Info) -> str | None:
    require_superadmin(info.context.actor)
    return root.error
