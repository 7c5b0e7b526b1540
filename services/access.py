"""Who may do what. The one place that knows the order of roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from psycopg import AsyncConnection
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.users import Membership
from services.errors import Forbidden
from services.settings import CreditsVisibleTo


class Role(StrEnum):
    """Roles of a team, in ascending order of power."""

    SUSPENDED = "SUSPENDED"
    TEXTER = "TEXTER"
    SUPERVOLUNTEER = "SUPERVOLUNTEER"
    ADMIN = "ADMIN"
    OWNER = "OWNER"


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Actor:
    """The signed-in person on whose behalf a service acts."""

    user_id: int
    name: str
    is_superadmin: bool


def has_role(role: str | None, needed: Role) -> bool:
    return role is not None and _RANK[Role(role)] >= _RANK[needed]


def outranks(role: str, other: str) -> bool:
    return _RANK[Role(role)] > _RANK[Role(other)]


async def role_in_team(session: AsyncSession, user_id: int, team_id: int) -> str | None:
    return await session.scalar(
        select(Membership.role).where(
            Membership.user_id == user_id, Membership.organization_id == team_id
        )
    )


async def roles_in_teams(
    connection: AsyncConnection, user_ids: Sequence[int], team_ids: Sequence[int]
) -> list[str | None]:
    """The role of each of these people in the team at the same place. One statement."""
    cursor = await connection.execute(
        "select role from unnest((select %s::int[]), (select %s::int[]))"
        " with ordinality as asked (user_id, organization_id, place)"
        " left join user_organization using (user_id, organization_id) order by place",
        [user_ids, team_ids],
    )
    return [role for (role,) in await cursor.fetchall()]


def require_superadmin(actor: Actor) -> None:
    if not actor.is_superadmin:
        raise Forbidden


async def require_role(session: AsyncSession, actor: Actor, team_id: int, needed: Role) -> None:
    """Superadmins may do what OWNERs may, without a membership."""
    if actor.is_superadmin:
        return
    if not has_role(await role_in_team(session, actor.user_id, team_id), needed):
        raise Forbidden


def require_part(actor: Actor, role: str | None, *, has_part: bool) -> None:
    """A part of a campaign is for the texter whose it is, and for SUPERVOLUNTEERs and above.

    `role`: the actor's in the campaign's team."""
    needed = Role.TEXTER if has_part else Role.SUPERVOLUNTEER
    if not actor.is_superadmin and not has_role(role, needed):
        raise Forbidden


def require_self(actor: Actor, user_id: int) -> None:
    """What is private to a person: theirs, and superadmins'."""
    if not actor.is_superadmin and actor.user_id != user_id:
        raise Forbidden


def sees_credits(actor: Actor, role: str | None, visible_to: CreditsVisibleTo) -> bool:
    """`role`: the actor's role in the team whose figures these are."""
    if actor.is_superadmin:
        return True
    if visible_to is CreditsVisibleTo.SUPERADMIN:
        return False
    return has_role(role, Role(visible_to))
