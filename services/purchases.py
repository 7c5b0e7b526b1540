"""Credit purchases, as lists of teams."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.credits import CreditPurchase

MOST_PURCHASES = 500


class Page(NamedTuple):
    include_removed: bool
    limit: int
    offset: int


class Wanted(NamedTuple):
    """A page of a team's purchases."""

    team_id: int
    page: Page


async def purchases_of_teams(
    session: AsyncSession, wanted: Sequence[Wanted]
) -> list[list[CreditPurchase]]:
    """For each page wanted its purchases, newest first. One statement per distinct Page."""
    teams_by_page: dict[Page, list[int]] = defaultdict(list)
    for team_id, page in wanted:
        teams_by_page[page].append(team_id)
    found: dict[Wanted, list[CreditPurchase]] = defaultdict(list)
    for page, team_ids in teams_by_page.items():
        for purchase in await _newest_purchases(session, team_ids, page):
            found[Wanted(purchase.team_id, page)].append(purchase)
    return [found[want] for want in wanted]


async def _newest_purchases(
    session: AsyncSession, team_ids: Sequence[int], page: Page
) -> Sequence[CreditPurchase]:
    position = func.row_number().over(
        partition_by=CreditPurchase.team_id, order_by=CreditPurchase.id.desc()
    )
    ranked = select(CreditPurchase.id, position.label("position")).where(
        CreditPurchase.team_id.in_(team_ids)
    )
    if not page.include_removed:
        ranked = ranked.where(CreditPurchase.removed_at.is_(None))
    chosen = ranked.subquery()
    purchases = await session.scalars(
        select(CreditPurchase)
        .join(chosen, chosen.c.id == CreditPurchase.id)
        .where(chosen.c.position > page.offset, chosen.c.position <= page.offset + page.limit)
        .order_by(CreditPurchase.id.desc())
    )
    return purchases.all()
