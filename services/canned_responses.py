"""Texts to choose from: a campaign's, and those that its texters made for themselves."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.scripts import CannedResponse

MOST_RESPONSES = 1000


class Wanted(NamedTuple):
    """`user_id`: whose own; None for those that are for everybody."""

    campaign_id: int
    user_id: int | None


async def canned_responses(
    session: AsyncSession, wanted: Sequence[Wanted]
) -> list[list[CannedResponse]]:
    """For each wish its responses, in the order in which they are shown, at most MOST_RESPONSES."""
    users = {want.user_id for want in wanted if want.user_id is not None}
    found: dict[Wanted, list[CannedResponse]] = defaultdict(list)
    for response in await session.scalars(
        select(CannedResponse)
        .where(
            CannedResponse.campaign_id.in_({want.campaign_id for want in wanted}),
            or_(CannedResponse.user_id.is_(None), CannedResponse.user_id.in_(users)),
        )
        .order_by(CannedResponse.display_order, CannedResponse.id)
    ):
        found[Wanted(response.campaign_id, response.user_id)].append(response)
    return [found[want][:MOST_RESPONSES] for want in wanted]
