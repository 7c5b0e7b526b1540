"""People. What is private to a person is guarded field by field."""

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from models.users import User
from resolvers.context import Info
from resolvers.ids import optional_spoke_id, spoke_id
from schema.inputs import UserInput, UserPasswordChange
from services import accounts, campaigns
from services.access import require_self
from services.accounts import Particulars, PasswordChange
from services.pages import CursorPage, cursor_page
from services.users import TeamMembership, chosen_memberships, roles_in


def current_user(info: Info) -> Awaitable[Any] | None:
    signed_in = info.context.signed_in
    return info.context.loaders.users.load(signed_in.user_id) if signed_in else None


async def list_superadmins(info: Info) -> Any:
    async with info.context.read() as session:
        return await accounts.list_superadmins(session, info.context.actor)


async def edit_super_admin_status(info: Info, user_email: str, super_admin_status: bool) -> bool:
    async with info.context.transaction() as session:
        await accounts.set_superadmin(
            session, info.context.actor, email=user_email, is_superadmin=super_admin_status
        )
    return True


async def user_agree_terms(info: Info, user_id: str) -> Any:
    async with info.context.transaction() as session:
        return await accounts.agree_to_terms(
            session, info.context.actor, user_id=spoke_id(user_id, "userId")
        )


async def edit_user(
    info: Info, organization_id: str, user_id: str, user_data: UserInput | None = None
) -> Any:
    async with info.context.transaction() as session:
        return await accounts.edit_user(
            session,
            info.context.actor,
            organization_id=spoke_id(organization_id, "organizationId"),
            user_id=spoke_id(user_id, "userId"),
            particulars=_particulars(user_data) if user_data else None,
        )


def _particulars(data: UserInput) -> Particulars:
    return Particulars(
        first_name=data.first_name,
        last_name=data.last_name,
        email=data.email,
        cell=data.cell,
        notification_frequency=data.notification_frequency,
    )


async def change_user_password(
    info: Info, user_id: str, form_data: UserPasswordChange | None = None
) -> Any:
    context = info.context
    async with context.read() as session:
        user = await accounts.get_own_account(
            session, context.actor, user_id=spoke_id(user_id, "userId")
        )
    change = (
        PasswordChange(form_data.password, form_data.new_password, form_data.password_confirm)
        if form_data
        else None
    )
    password_hash = await accounts.new_password_hash(user, change)
    async with context.transaction() as session:
        return await accounts.replace_password(
            session, user=user, password_hash=password_hash, kept=context.sign_in
        )


def private(name: str) -> Callable[..., Any]:
    """A resolver for a column that only the person and who leads them may read."""

    async def resolve(root: strawberry.Parent[User], info: Info) -> Any:
        await info.context.loaders.private_people.load(root.id)
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
