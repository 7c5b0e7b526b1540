"""Teams and their credits."""

from collections.abc import Awaitable
from typing import Annotated, Any

import strawberry
from strawberry import argument

from resolvers.context import Info
from resolvers.ids import spoke_id
from schema.enums import CreditStatus, TeamOrder
from schema.scalars import BigInt
from services import credits, teams
from services.access import require_superadmin
from services.pages import require_page
from services.purchases import MOST_PURCHASES, Page, Purchase, Wanted
from services.teams import (
    Team,
    TeamFilter,
    require_admin,
    require_credits_visible,
    require_owner,
    require_visible,
)

TeamId = Annotated[strawberry.ID, argument(description="Which team.")]
Offset = Annotated[int, argument(description="How many rows to skip.")]


async def team(info: Info, id: TeamId) -> Any:
    async with info.context.read() as session:
        return await teams.get_team(session, info.context.actor, team_id=spoke_id(id, "id"))


async def list_teams(
    info: Info,
    search: Annotated[
        str | None, argument(description="Only teams with this in their name, in any case.")
    ] = None,
    credits_enabled: Annotated[
        bool | None, argument(description="Only teams with credits on, or off.")
    ] = None,
    credit_status: Annotated[
        list[CreditStatus] | None, argument(description="Only teams in one of these states.")
    ] = None,
    running_low: Annotated[
        bool | None, argument(description="Only teams that are, or are not, running low.")
    ] = None,
    order_by: Annotated[TeamOrder, argument(description="In which order.")] = TeamOrder.NAME_ASC,
    limit: Annotated[int, argument(description="The most teams to return, 1 to 1000.")] = 50,
    offset: Offset = 0,
) -> Any:
    async with info.context.read() as session:
        return await teams.list_teams(
            session,
            info.context.settings,
            info.context.actor,
            chosen=TeamFilter(search, credits_enabled, credit_status, running_low),
            order_by=order_by,
            limit=limit,
            offset=offset,
        )


async def set_credits_enabled(
    info: Info,
    team_id: TeamId,
    enabled: Annotated[bool, argument(description="Whether credits shall cap its texts.")],
) -> Any:
    chosen = spoke_id(team_id, "teamId")
    async with info.context.transaction() as session:
        await credits.set_credits_enabled(
            session, info.context.actor, team_id=chosen, enabled=enabled
        )
        return await teams.get_team(session, info.context.actor, team_id=chosen)


async def set_low_credits_threshold(
    info: Info,
    team_id: TeamId,
    threshold: Annotated[
        BigInt | None, argument(name="credits", description="At least 1; null for none.")
    ] = None,
) -> Any:
    chosen = spoke_id(team_id, "teamId")
    context = info.context
    async with context.transaction() as session:
        await credits.set_low_credits_threshold(
            session, context.settings, context.actor, team_id=chosen, credits=threshold
        )
        return await teams.get_team(session, context.actor, team_id=chosen)


async def set_running_low_mail(
    info: Info,
    team_id: TeamId,
    enabled: Annotated[bool, argument(description="Whether such mail shall go out.")],
) -> Any:
    chosen = spoke_id(team_id, "teamId")
    async with info.context.transaction() as session:
        await credits.set_running_low_mail(
            session, info.context.actor, team_id=chosen, enabled=enabled
        )
        return await teams.get_team(session, info.context.actor, team_id=chosen)


def remaining_credits(root: strawberry.Parent[Team], info: Info) -> int:
    return require_credits_visible(info.context.actor, root, info.context.settings).remaining


def purchased_credits(root: strawberry.Parent[Team], info: Info) -> int:
    return require_credits_visible(info.context.actor, root, info.context.settings).purchased


def used_credits(root: strawberry.Parent[Team], info: Info) -> int:
    return require_credits_visible(info.context.actor, root, info.context.settings).used


def turning_on_would_block(root: strawberry.Parent[Team], info: Info) -> bool:
    return require_owner(info.context.actor, root).turning_on_would_block


def low_credits_threshold(root: strawberry.Parent[Team], info: Info) -> int | None:
    require_superadmin(info.context.actor)
    return root.low_credits


def is_running_low(root: strawberry.Parent[Team], info: Info) -> bool:
    return require_admin(info.context.actor, root).is_running_low(info.context.settings)


def running_low_mail(root: strawberry.Parent[Team], info: Info) -> bool:
    return require_admin(info.context.actor, root).running_low_mail


def credit_purchases(
    root: strawberry.Parent[Team],
    info: Info,
    include_removed: Annotated[
        bool, argument(description="Also purchases that were removed.")
    ] = False,
    limit: Annotated[int, argument(description="The most purchases to return, 1 to 500.")] = 100,
    offset: Offset = 0,
) -> Awaitable[list[Purchase]]:
    require_credits_visible(info.context.actor, root, info.context.settings)
    require_page(limit, offset, most=MOST_PURCHASES)
    return info.context.loaders.purchases.load(
        Wanted(root.id, Page(include_removed, limit, offset))
    )


def credit_contacts(root: strawberry.Parent[Team], info: Info) -> Awaitable[Any]:
    team = require_visible(info.context.actor, root)
    return info.context.loaders.credit_contacts.load(team.id)


def organization(root: strawberry.Parent[Team], info: Info) -> Awaitable[Any]:
    return info.context.loaders.organizations.load(root.id)


def team_credits(info: Info, team_id: TeamId) -> Any:
    return info.context.live.watch(info.context.sign_in, team_id=spoke_id(team_id, "teamId"))


def all_team_credits(info: Info) -> Any:
    return info.context.live.watch(info.context.sign_in, team_id=None)
