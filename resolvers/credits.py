"""Credit purchases, and the estimates of what campaigns need."""

from collections.abc import Awaitable
from typing import Annotated, Any

import strawberry
from strawberry import argument

from models.credits import CreditPurchase
from resolvers.context import Info
from resolvers.ids import credit_id, optional_spoke_id, spoke_id
from resolvers.teams import TeamId
from services import credits, estimates
from services.preflight import Estimate, require_estimate_visible
from services.purchases import Purchase
from services.teams import require_credits_visible

Shown = CreditPurchase | Purchase
"""Just made or removed, or of a list."""


async def add_credits(
    info: Info,
    team_id: TeamId,
    amount: Annotated[int, argument(description="How many, from 1 to CREDITS_MAX_PER_PURCHASE.")],
    note: Annotated[str | None, argument(description="Why; at most 1000 characters.")] = None,
    idempotency_key: Annotated[
        str | None,
        argument(
            description="Repeating the same addition with the same key adds once and returns the "
            "first purchase."
        ),
    ] = None,
) -> Any:
    async with info.context.transaction() as session:
        return await credits.add_credits(
            session,
            info.context.settings,
            info.context.actor,
            team_id=spoke_id(team_id, "teamId"),
            amount=amount,
            note=note,
            key=idempotency_key,
        )


async def remove_credit_purchase(
    info: Info, id: Annotated[strawberry.ID, argument(description="Which purchase.")]
) -> Any:
    async with info.context.transaction() as session:
        return await credits.remove_credit_purchase(
            session, info.context.actor, purchase_id=credit_id(id, "id")
        )


async def estimate_credits(
    info: Info,
    text: Annotated[
        str | None,
        argument(description="The text, as it would be sent. Required, but for a campaign."),
    ] = None,
    recipients: Annotated[
        int | None,
        argument(description="To how many, 1 to 10,000,000. Required, but for a campaign."),
    ] = None,
    replies_per_recipient: Annotated[
        float,
        argument(description="Answers that each recipient will need on average, 0 to 100."),
    ] = 0,
    media: Annotated[
        bool, argument(description="Whether a picture goes with it, even if no link is in it yet.")
    ] = False,
    campaign_id: Annotated[
        strawberry.ID | None,
        argument(
            description="Which campaign's first texts, instead of a text and recipients. For its "
            "team's SUPERVOLUNTEERs and above."
        ),
    ] = None,
) -> Any:
    async with info.context.read() as session:
        return await estimates.estimate_credits(
            session,
            info.context.settings,
            info.context.actor,
            text=text,
            recipients=recipients,
            replies_per_recipient=replies_per_recipient,
            media=media,
            campaign_id=optional_spoke_id(campaign_id, "campaignId"),
        )


async def remaining(root: strawberry.Parent[Estimate], info: Info) -> int:
    team = await info.context.loaders.teams.load(root.team_id)
    visible = require_estimate_visible(info.context.actor, team)
    return require_credits_visible(info.context.actor, visible, info.context.settings).remaining


async def is_enough(root: strawberry.Parent[Estimate], info: Info) -> bool:
    team = await info.context.loaders.teams.load(root.team_id)
    return root.is_covered_by(require_estimate_visible(info.context.actor, team))


def team(root: strawberry.Parent[Shown], info: Info) -> Awaitable[Any]:
    return info.context.loaders.teams.load(root.team_id)


def remaining_after(root: strawberry.Parent[Shown], info: Info) -> Awaitable[int]:
    return info.context.loaders.remaining_after.load(root.id)


def purchased_by(root: strawberry.Parent[Shown], info: Info) -> Any:
    return info.context.loaders.person(root.purchased_by)


def removed_by(root: strawberry.Parent[Shown], info: Info) -> Any:
    return info.context.loaders.person(root.removed_by)
