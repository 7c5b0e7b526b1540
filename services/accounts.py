"""Changing people's accounts: one's own, those of one's team, and who is a superadmin."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.users import Membership, User, UserSession
from services.access import Actor, Role, outranks, require_role, require_superadmin, role_in_team
from services.errors import Conflict, Forbidden, InvalidInput, NotFound, WrongCredentials
from services.passwords import hash_password, password_matches
from services.sessions import SignIn
from services.texts import checked
from services.users import (
    LONGEST_EMAIL,
    checked_cell,
    checked_email,
    checked_name,
    checked_password,
)

MOST_SUPERADMINS = 1000
FREQUENCIES = ("ALL", "PERIODIC", "DAILY", "NONE")


class Particulars(NamedTuple):
    """Of a person, as they are to be."""

    first_name: str
    last_name: str
    email: str
    cell: str
    notification_frequency: str


class PasswordChange(NamedTuple):
    old: str
    new: str
    new_again: str


async def agree_to_terms(session: AsyncSession, actor: Actor, *, user_id: int) -> User:
    """For oneself. Raises Forbidden."""
    user = await get_own_account(session, actor, user_id=user_id)
    user.terms = True
    return user


async def edit_user(
    session: AsyncSession,
    actor: Actor,
    *,
    organization_id: int,
    user_id: int,
    particulars: Particulars | None,
) -> User:
    """For oneself, and ADMINs of the person's team, but not of people above them: who has
    somebody's e-mail signs in as them. None changes nothing.

    Raises Forbidden, InvalidInput, NotFound.
    """
    if actor.user_id != user_id:
        await require_role(session, actor, organization_id, Role.ADMIN)
    user = await session.scalar(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(User.id == user_id, Membership.organization_id == organization_id)
        .with_for_update(of=User, key_share=True)
    )
    if user is None:
        raise NotFound("There is no such person in this organization.")
    if particulars is None:
        return user
    if actor.user_id != user_id and not actor.is_superadmin:
        await _require_above(session, actor, user, organization_id)
    await _change(session, user, particulars)
    return user


async def _require_above(
    session: AsyncSession, actor: Actor, user: User, organization_id: int
) -> None:
    own = await role_in_team(session, actor.user_id, organization_id)
    theirs = await role_in_team(session, user.id, organization_id)
    if user.is_superadmin or own is None or theirs is None or outranks(theirs, own):
        raise Forbidden


async def _change(session: AsyncSession, user: User, particulars: Particulars) -> None:
    email = checked_email(particulars.email)
    if particulars.notification_frequency not in FREQUENCIES:
        raise InvalidInput(f"notificationFrequency must be one of {', '.join(FREQUENCIES)}.")
    user.first_name = checked_name(particulars.first_name, "The first name")
    user.last_name = checked_name(particulars.last_name, "The last name")
    user.email = email
    user.cell = checked_cell(particulars.cell)
    user.notification_frequency = particulars.notification_frequency
    try:
        await session.flush()
    except IntegrityError:  # nothing else of a person is unique
        raise InvalidInput("That email is already taken.") from None


async def get_own_account(session: AsyncSession, actor: Actor, *, user_id: int) -> User:
    """Raises Forbidden for another's."""
    if actor.user_id != user_id:
        raise Forbidden
    return await session.get_one(User, user_id)


async def new_password_hash(user: User, change: PasswordChange | None) -> str:
    """Of a person who knows their password. Needs no session: it takes half a second.

    Raises InvalidInput, WrongCredentials.
    """
    if change is None:
        raise InvalidInput("The passwords are missing.")
    checked_password(change.new)
    if change.new != change.new_again:
        raise InvalidInput("Passwords don't match.")
    if change.new == change.old:
        raise InvalidInput("The new password must be another one.")
    if not await password_matches(change.old, user.auth0_id):
        raise WrongCredentials
    return await hash_password(change.new)


async def replace_password(
    session: AsyncSession, *, user: User, password_hash: str, kept: SignIn | None
) -> User:
    """Unless it was changed meanwhile. Ends that person's sessions elsewhere: `kept` is here.

    Raises Conflict.
    """
    changed: User | None = await session.scalar(
        update(User)
        .where(User.id == user.id, User.auth0_id == user.auth0_id)
        .values(auth0_id=password_hash)
        .returning(User)
        .execution_options(populate_existing=True)
    )
    if changed is None:
        raise Conflict
    await session.execute(
        delete(UserSession).where(
            UserSession.user_id == user.id, UserSession.sid.is_distinct_from(kept and kept.secret)
        )
    )
    return changed


async def list_superadmins(session: AsyncSession, actor: Actor) -> Sequence[User]:
    """By name. For superadmins. Raises Forbidden."""
    require_superadmin(actor)
    found = await session.scalars(
        select(User)
        .where(User.is_superadmin.is_(True))
        .order_by(User.last_name, User.first_name, User.id)
        .limit(MOST_SUPERADMINS)
    )
    return found.all()


async def set_superadmin(
    session: AsyncSession, actor: Actor, *, email: str, is_superadmin: bool
) -> None:
    """Spoke makes whoever becomes one OWNER of every team. The last one stays one.

    Raises Forbidden, InvalidInput, NotFound.
    """
    require_superadmin(actor)
    email = checked(email, "The e-mail", longest=LONGEST_EMAIL).strip()
    user = await session.scalar(select(User).where(User.email == email))
    if user is None:
        raise NotFound("There is nobody with this e-mail.")
    # Two who take it from each other must not both succeed.
    others = await session.scalars(
        select(User)
        .where(User.is_superadmin.is_(True), ~User.is_suspended)
        .order_by(User.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if not is_superadmin and {other.id for other in others} <= {user.id}:
        raise InvalidInput("Somebody must remain a superadmin.")
    user.is_superadmin = is_superadmin
    await session.flush()
