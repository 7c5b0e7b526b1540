"""People: sign-in, memberships, and making the first superadmin."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.organizations import Organization
from models.users import Membership, User
from services.access import Actor, Role
from services.errors import AccountSuspended, Forbidden, InvalidInput, WrongCredentials
from services.passwords import hash_password, password_matches
from services.texts import checked

LONGEST_EMAIL = 320
LONGEST_NAME = 200
LONGEST_CELL = 50
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1000
MOST_CREDIT_CONTACTS = 5


async def find_user(session: AsyncSession, *, email: str) -> User | None:
    """Raises InvalidInput."""
    email = checked(email, "The e-mail", longest=LONGEST_EMAIL)
    return await session.scalar(select(User).where(User.email == email))


async def require_private(
    session: AsyncSession, actor: Actor, user_ids: Sequence[int]
) -> list[Forbidden | None]:
    """For each person, why the actor may not read what is private to them. They themselves may,
    superadmins, and who may edit their account: in a team of theirs, ADMINs and OWNERs whom they
    don't outrank, unless they are superadmins."""
    refused = set() if actor.is_superadmin else {*user_ids} - {actor.user_id}
    if refused:
        refused -= await _led_by(session, actor, refused)
    return [Forbidden() if user_id in refused else None for user_id in user_ids]


async def _led_by(session: AsyncSession, actor: Actor, user_ids: Collection[int]) -> set[int]:
    own, theirs = aliased(Membership), aliased(Membership)
    led = await session.scalars(
        select(theirs.user_id)
        .join(own, own.organization_id == theirs.organization_id)
        .join(User, User.id == theirs.user_id)
        .where(
            own.user_id == actor.user_id,
            or_(
                own.role == Role.OWNER,
                and_(own.role == Role.ADMIN, theirs.role != Role.OWNER),
            ),
            theirs.user_id.in_(user_ids),
            User.is_superadmin.is_not(True),
        )
    )
    return set(led)


async def require_credentials(user: User | None, password: str) -> User:
    """`user`: who was found by the e-mail. Needs no session: no connection is kept meanwhile.

    Raises WrongCredentials, AccountSuspended, InvalidInput.
    """
    password = checked(password, "The password", longest=LONGEST_PASSWORD)
    if not await password_matches(password, user.auth0_id if user else None) or user is None:
        raise WrongCredentials
    if user.is_suspended:
        raise AccountSuspended
    return user


async def create_user(
    session: AsyncSession,
    *,
    email: str,
    first_name: str,
    last_name: str,
    password: str,
    cell: str = "",
    is_superadmin: bool = False,
) -> User:
    """Raises InvalidInput for a short password or an e-mail that is taken."""
    email = checked_email(email)
    checked_password(password)
    # Before the first statement: hashing takes a while, and keeps no connection from others here.
    password_hash = await hash_password(password)
    user: User | None = await session.scalar(
        insert(User)
        .values(
            auth0_id=password_hash,
            first_name=first_name,
            last_name=last_name,
            cell=cell,
            email=email,
            is_superadmin=is_superadmin,
        )
        .on_conflict_do_nothing(index_elements=["email"])
        .returning(User)
    )
    if user is None:
        raise InvalidInput("That email is already taken.")
    return user


def checked_email(value: str) -> str:
    """Raises InvalidInput."""
    email = checked(value, "The e-mail", longest=LONGEST_EMAIL).strip()
    if "@" not in email:
        raise InvalidInput("That is not an e-mail address.")
    return email


def checked_name(value: str, what: str) -> str:
    """Raises InvalidInput."""
    name = checked(value, what, longest=LONGEST_NAME).strip()
    if not name:
        raise InvalidInput(f"{what} is missing.")
    return name


def checked_cell(value: str) -> str:
    """A person's own number, as they write it. Raises InvalidInput."""
    return checked(value, "The telephone number", longest=LONGEST_CELL).strip()


def checked_password(value: str) -> str:
    """Raises InvalidInput."""
    if len(checked(value, "The password", longest=LONGEST_PASSWORD)) < SHORTEST_PASSWORD:
        raise InvalidInput(f"The password must have at least {SHORTEST_PASSWORD} characters.")
    return value


@dataclass(frozen=True, slots=True)
class TeamMembership:
    """One person's part in one team. `role`: as shown to people; `stored_role`: as it counts."""

    id: int
    user_id: int
    organization_id: int
    stored_role: str
    request_auto_approve: str
    is_superadmin: bool
    is_active: bool

    @property
    def role(self) -> str:
        return "SUPERADMIN" if self.is_superadmin else self.stored_role


async def memberships_of_users(
    session: AsyncSession, user_ids: Sequence[int]
) -> list[list[TeamMembership]]:
    """For each person their memberships, by id; `is_active`: the team is not deleted."""
    rows = await session.execute(
        select(
            Membership.id,
            Membership.user_id,
            Membership.organization_id,
            Membership.role,
            Membership.request_status,
            func.coalesce(User.is_superadmin, False),
            Organization.deleted_at.is_(None),
        )
        .join(Organization, Organization.id == Membership.organization_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.user_id.in_(user_ids))
        .order_by(Membership.id)
    )
    found: dict[int, list[TeamMembership]] = defaultdict(list)
    for row in rows:
        found[row[1]].append(TeamMembership(*row))
    return [found[user_id] for user_id in user_ids]


async def credit_contacts_of_teams(
    session: AsyncSession, team_ids: Sequence[int]
) -> list[list[User]]:
    """For each team whom to ask for credits: its OWNERs, then its ADMINs, not suspended, by name;
    at most MOST_CREDIT_CONTACTS. One statement."""
    position = func.row_number().over(
        partition_by=Membership.organization_id,
        order_by=(
            Membership.role != Role.OWNER,
            func.lower(User.first_name),
            func.lower(User.last_name),
            User.id,
        ),
    )
    ranked = (
        select(User, Membership.organization_id.label("team_id"), position.label("position"))
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id.in_(team_ids),
            Membership.role.in_([Role.OWNER, Role.ADMIN]),
            ~User.is_suspended,
        )
        .subquery()
    )
    rows = await session.execute(
        select(ranked.c.team_id, aliased(User, ranked))
        .where(ranked.c.position <= MOST_CREDIT_CONTACTS)
        .order_by(ranked.c.position)
    )
    found: dict[int, list[User]] = defaultdict(list)
    for team_id, user in rows:
        found[team_id].append(user)
    return [found[team_id] for team_id in team_ids]


def roles_in(memberships: Sequence[TeamMembership], organization_id: int) -> list[str]:
    """The one stored role, in a list; empty for people outside."""
    return [m.stored_role for m in memberships if m.organization_id == organization_id]


def chosen_memberships(
    memberships: Sequence[TeamMembership], *, organization_id: int | None, active: bool | None
) -> list[TeamMembership]:
    return [
        m
        for m in memberships
        if organization_id in (None, m.organization_id) and active in (None, m.is_active)
    ]
