"""Coming in: invites, joining an organization by its uuid, and signing up."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.invites import Invite
from models.organizations import Organization
from models.users import Membership, User
from services.access import Actor, Role, require_superadmin
from services.errors import InvalidInput, NotFound
from services.organization_settings import default_approval
from services.texts import checked
from services.users import checked_cell, checked_name, create_user

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INVITE = re.compile(rf"/invite/({_UUID.pattern})/?")
_JOIN = re.compile(rf"/({_UUID.pattern})/join/?")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """`next_url`: where they go then, which tells who let them in."""

    email: str
    password: str
    password_again: str
    first_name: str
    last_name: str
    cell: str
    next_url: str


async def find_invites(session: AsyncSession, *, hash: str) -> Sequence[Invite]:
    """The one, or none. For anybody who knows it."""
    found = await session.scalars(
        select(Invite).where(Invite.hash == checked(hash, "The hash", longest=100))
    )
    return found.all()


async def create_invite(session: AsyncSession, actor: Actor) -> Invite:
    """For superadmins. Raises Forbidden."""
    require_superadmin(actor)
    invite = Invite(is_valid=True, hash=str(uuid.uuid4()))
    session.add(invite)
    await session.flush()
    return invite


async def join_organization(
    session: AsyncSession, actor: Actor, *, organization_uuid: str
) -> Organization:
    """As a TEXTER, whose requests are approved as the organization wants it. Who is a member stays
    what they are. Raises NotFound."""
    organization = await _organization(session, organization_uuid)
    if organization is None:
        raise NotFound("No such organization.")
    await session.execute(
        insert(Membership)
        .values(
            user_id=actor.user_id,
            organization_id=organization.id,
            role=Role.TEXTER,
            request_status=default_approval(organization),
        )
        .on_conflict_do_nothing(index_elements=["user_id", "organization_id"])
    )
    return organization


async def sign_up(session: AsyncSession, newcomer: Newcomer) -> User:
    """For those who come with a valid invite, or to join an organization. Raises InvalidInput."""
    if newcomer.password != newcomer.password_again:
        raise InvalidInput("Passwords don't match.")
    user = await create_user(
        session,
        email=newcomer.email,
        first_name=checked_name(newcomer.first_name, "The first name"),
        last_name=checked_name(newcomer.last_name, "The last name"),
        password=newcomer.password,
        cell=checked_cell(newcomer.cell),
    )
    # Last, since whoever is refused is not kept, and making a user must come first: see there.
    if not await _is_invited(session, newcomer.next_url):
        raise InvalidInput("Invalid invite code. Contact your administrator.")
    return user


async def _is_invited(session: AsyncSession, next_url: str) -> bool:
    if found := _INVITE.fullmatch(next_url):
        return any(invite.is_valid for invite in await find_invites(session, hash=found[1]))
    if found := _JOIN.fullmatch(next_url):
        return await _organization(session, found[1]) is not None
    return False


async def _organization(session: AsyncSession, organization_uuid: str) -> Organization | None:
    wanted = checked(organization_uuid, "organizationUuid", longest=100)
    organization: Organization | None = await session.scalar(
        select(Organization).where(Organization.uuid == wanted, Organization.deleted_at.is_(None))
    )
    return organization
