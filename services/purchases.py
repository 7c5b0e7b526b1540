"""Credit purchases, as lists of teams."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.credits import CreditEntry, CreditPurchase
from models.organizations import Organization

MOST_PURCHASES = 500


class Page(NamedTuple):
    include_removed: bool
    limit: int
    offset: int


class Wanted(NamedTuple):
    """A page of a team's purchases."""

    team_id: int
    page: Page


class Purchase(NamedTuple):
    """What is shown of a purchase. `purchased_by`, `removed_by`: ids of people."""

    id: int
    team_id: int
    amount: int
    note: str | None
    purchased_by: int | None
    purchased_by_name: str
    created_at: datetime
    removed_at: datetime | None
    removed_by: int | None
    removed_by_name: str | None


_SHOWN = [getattr(CreditPurchase, name) for name in Purchase._fields]


async def purchases_of_teams(
    session: AsyncSession, wanted: Sequence[Wanted]
) -> list[list[Purchase]]:
    """For each page wanted its purchases, newest first. One statement per distinct Page."""
    teams_by_page: dict[Page, list[int]] = defaultdict(list)
    for team_id, page in wanted:
        teams_by_page[page].append(team_id)
    found: dict[Wanted, list[Purchase]] = defaultdict(list)
    for page, team_ids in teams_by_page.items():
        for purchase in await _newest_purchases(session, team_ids, page):
            found[Wanted(purchase.team_id, page)].append(purchase)
    return [found[want] for want in wanted]


async def _newest_purchases(
    session: AsyncSession, team_ids: Sequence[int], page: Page
) -> list[Purchase]:
    position = func.row_number().over(
        partition_by=CreditPurchase.team_id, order_by=CreditPurchase.id.desc()
    )
    ranked = select(*_SHOWN, position.label("position")).where(CreditPurchase.team_id.in_(team_ids))
    if not page.include_removed:
        ranked = ranked.where(CreditPurchase.removed_at.is_(None))
    chosen = ranked.subquery()
    rows = await session.execute(
        select(*(chosen.c[name] for name in Purchase._fields))
        .where(chosen.c.position > page.offset, chosen.c.position <= page.offset + page.limit)
        .order_by(chosen.c.id.desc())
    )
    return [Purchase(*row) for row in rows]


async def next_purchases(
    session: AsyncSession, *, team_id: int | None, before: int | None, limit: int
) -> list[tuple[Purchase, str]]:
    """Of a team, or of all: those older than that one, newest first, each with its team's name."""
    older = select(*_SHOWN, Organization.name).join(
        Organization, Organization.id == CreditPurchase.team_id
    )
    if team_id is not None:
        older = older.where(CreditPurchase.team_id == team_id)
    if before is not None:
        older = older.where(CreditPurchase.id < before)
    rows = await session.execute(older.order_by(CreditPurchase.id.desc()).limit(limit))
    return [(Purchase(*purchase), name) for *purchase, name in rows]


async def remaining_after_purchases(
    session: AsyncSession, purchase_ids: Sequence[int]
) -> list[int]:
    """For each purchase what remained right after it was added, as its ledger entry has it."""
    rows = await session.execute(
        select(CreditPurchase.id, CreditEntry.balance_after)
        .join(
            CreditEntry,
            and_(
                CreditEntry.team_id == CreditPurchase.team_id,
                CreditEntry.purchase_id == CreditPurchase.id,
                CreditEntry.kind == "PURCHASE",
            ),
        )
        .where(CreditPurchase.id.in_(purchase_ids))
    )
    found = dict(rows.all())
    return [found[purchase_id] for purchase_id in purchase_ids]


def people_of(purchases: Iterable[Purchase]) -> set[int]:
    """The ids of all who made or removed these."""
    return {
        person
        for purchase in purchases
        for person in (purchase.purchased_by, purchase.removed_by)
        if person is not None
    }
