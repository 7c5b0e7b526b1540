"""People. What is private to a person is guarded field by field."""

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from models.users import User
from resolvers.context import Info
from resolvers.ids import optional_spoke_id, spoke_id
from services import campaigns
from services.access import require_self
from services.pages import CursorPage, cursor_page
from services.users import TeamMembership, chosen_memberships, roles_in


def current_user(info: Info) -> Awaitable[Any] | None:
    signed_in = info.context.signed_in
    return info.context.loaders.users.load(signed_in.user_id) if signed_in else None


def private(name: str) -> Callable[..., Any]:
    """A resolver for a column that only the person and superadmins may read."""

    def resolve(root: strawberry.Parent[User], info: Info) -> Any:
        require_self(info.context.actor, root.id)
        return getattr(root, name)

    return resolve


def is_superadmin(root: strawberry.Parent[User], info: Info) -> bool:
    require_self(info.context.actor, root.id)
    return bool(root.is_superadmin)


async def memberships(
    root: strawberry.Parent[User],
    info: Info,
    organization_id: str | None = None,
    active: bool | None = None,
    after: str | None = None,
    first: int | None = None,
) -> CursorPage[TeamMembership]:
    require_self(info.context.actor, root.id)
    chosen = chosen_memberships(
        await info.context.loaders.memberships.load(root.id),
        organization_id=optional_spoke_id(organization_id, "organizationId"),
        active=active,
    )
    return cursor_page(chosen, after=after, first=first)


async def organizations(
    root: strawberry.Parent[User], info: Info, active: bool | None = None
) -> list[Any]:
    require_self(info.context.actor, root.id)
    chosen = chosen_memberships(
        await info.context.loaders.memberships.load(root.id), organization_id=None, active=active
    )
    return await info.context.loaders.organizations.load_many(
        [membership.organization_id for membership in chosen]
    )


async def roles(root: strawberry.Parent[User], info: Info, organization_id: str) -> list[str]:
    require_self(info.context.actor, root.id)
    return roles_in(
        await info.context.loaders.memberships.load(root.id),
        spoke_id(organization_id, "organizationId"),
    )


async def todos(
    root: strawberry.Parent[User], info: Info, organization_id: str | None = None
) -> Any:
    require_self(info.context.actor, root.id)
    async with info.context.read() as session:
        return await campaigns.todos_of_user(
            session,
            user_id=root.id,
            organization_id=optional_spoke_id(organization_id, "organizationId"),
        )


def membership_organization(root: strawberry.Parent[TeamMembership], info: Info) -> Awaitable[Any]:
    return info.context.loaders.organizations.load(root.organization_id)


def membership_user(root: strawberry.Parent[TeamMembership], info: Info) -> Awaitable[Any]:
    return info.context.loaders.users.load(root.user_id)
