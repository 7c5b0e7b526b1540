"""Usage of a team, and of the account."""

from collections.abc import Awaitable
from typing import Annotated, Any

import strawberry
from strawberry import argument

from resolvers.context import Info
from resolvers.teams import Offset
from schema.enums import UsageBy
from schema.scalars import Date
from services import usage
from services.teams import Team, require_admin, require_credits_visible
from services.usage import Usage, Wanted, period_of

From = Annotated[
    Date, argument(name="from", description="The first day: the UTC day of this moment.")
]
To = Annotated[
    Date, argument(name="to", description="The last day, included: the UTC day of this moment.")
]


def usage_of_team(
    root: strawberry.Parent[Team],
    info: Info,
    from_: From,
    to: To,
    by: Annotated[UsageBy, argument(description="What a row is about.")] = UsageBy.DAY,
) -> Awaitable[list[Usage]]:
    team = require_admin(info.context.actor, root)
    return info.context.loaders.usage_of_team(Wanted(team, period_of(from_, to, by), by))


async def account_usage(
    info: Info,
    from_: From,
    to: To,
    limit: Annotated[int, argument(description="The most rows to return, 1 to 1000.")] = 50,
    offset: Offset = 0,
) -> Any:
    async with info.context.read() as session:
        return await usage.account_usage(
            session, info.context.actor, period=period_of(from_, to), limit=limit, offset=offset
        )


def campaign(root: strawberry.Parent[Usage], info: Info) -> Awaitable[Any] | None:
    return info.context.loaders.campaigns.load(root.campaign_id) if root.campaign_id else None


def credits_used(root: strawberry.Parent[Usage], info: Info) -> int:
    require_credits_visible(info.context.actor, root.team, info.context.settings)
    return root.credits_used
