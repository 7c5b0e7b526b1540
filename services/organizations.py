"""Organizations, as Spoke's client asks for them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.organizations import Organization
from services.access import Actor, Role, require_role, require_superadmin
from services.errors import NotFound

MOST_ORGANIZATIONS = 10_000


async def get_organization(
    session: AsyncSession, actor: Actor, *, organization_id: int
) -> Organization:
    """Raises Forbidden for people outside, NotFound."""
    await require_role(session, actor, organization_id, Role.TEXTER)
    organization = await session.get(Organization, organization_id)
    if organization is None:
        raise NotFound("There is no such organization.")
    return organization


async def list_organizations(
    session: AsyncSession, actor: Actor, *, active: bool | None
) -> Sequence[Organization]:
    """All, by id, for superadmins; `active`: only those (not) deleted."""
    require_superadmin(actor)
    query = select(Organization).order_by(Organization.id).limit(MOST_ORGANIZATIONS)
    if active is not None:
        query = query.where(Organization.deleted_at.is_(None) == active)
    return (await session.scalars(query)).all()
