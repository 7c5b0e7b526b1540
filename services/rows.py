"""Rows by their key, for callers that need many at once."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Campaign
from models.organizations import Organization
from models.users import User

Row = TypeVar("Row", User, Organization, Campaign)


async def rows_by_id(
    session: AsyncSession, model: type[Row], ids: Sequence[int]
) -> list[Row | None]:
    """For each id its row, or None. One statement."""
    rows = await session.scalars(select(model).where(model.id.in_(ids)))
    found = {row.id: row for row in rows}
    return [found.get(wanted) for wanted in ids]
