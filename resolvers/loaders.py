"""Reads that many fields of one request share. Each load has a session of its own."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from strawberry.dataloader import DataLoader

from models.campaigns import Campaign
from models.contacts import CampaignContact, OptOut
from models.credits import CreditPurchase
from models.organizations import Organization
from models.users import User
from services.access import Actor
from services.campaigns import campaigns_with_unassigned_contacts, custom_fields_of_campaigns
from services.contacts import (
    ContactsWanted,
    contact_counts_of_assignments,
    contacts_of_assignments,
    opt_outs_of_contacts,
)
from services.errors import ServiceError, ServiceUnavailable
from services.purchases import Wanted, purchases_of_teams
from services.rows import rows_by_id
from services.settings import Settings
from services.teams import Team, teams_by_id
from services.users import TeamMembership, memberships_of_users

Key = TypeVar("Key")
Value = TypeVar("Value")
Read = Callable[[AsyncSession, Sequence[Key]], Awaitable[Sequence[Value]]]

MOST_KEYS = 5000


@contextmanager
def broken_connection_is(refusal: type[ServiceError]) -> Iterator[None]:
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        raise refusal from error


class Loaders:
    """One for each request: nothing is remembered longer."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], settings: Settings, actor: Actor
    ) -> None:
        self._sessions = sessions
        self._settings = settings
        self._actor = actor

    def _loader(self, read: Read[Key, Value]) -> DataLoader[Key, Value]:
        async def load(keys: list[Key]) -> Sequence[Value]:
            async with self._sessions() as session:
                with broken_connection_is(ServiceUnavailable):
                    return await read(session, keys)

        return DataLoader(load_fn=load, max_batch_size=MOST_KEYS)

    @cached_property
    def users(self) -> DataLoader[int, User | None]:
        return self._loader(lambda session, ids: rows_by_id(session, User, ids))

    @cached_property
    def organizations(self) -> DataLoader[int, Organization | None]:
        return self._loader(lambda session, ids: rows_by_id(session, Organization, ids))

    @cached_property
    def campaigns(self) -> DataLoader[int, Campaign | None]:
        return self._loader(lambda session, ids: rows_by_id(session, Campaign, ids))

    @cached_property
    def teams(self) -> DataLoader[int, Team | None]:
        """As the actor sees them: their role is part of it."""
        return self._loader(lambda session, ids: teams_by_id(session, self._actor, ids))

    @cached_property
    def memberships(self) -> DataLoader[int, list[TeamMembership]]:
        return self._loader(memberships_of_users)

    @cached_property
    def opt_outs(self) -> DataLoader[int, OptOut | None]:
        return self._loader(lambda session, ids: opt_outs_of_contacts(session, self._settings, ids))

    @cached_property
    def purchases(self) -> DataLoader[Wanted, list[CreditPurchase]]:
        return self._loader(purchases_of_teams)

    @cached_property
    def has_unassigned_contacts(self) -> DataLoader[int, bool]:
        return self._loader(campaigns_with_unassigned_contacts)

    @cached_property
    def custom_fields(self) -> DataLoader[int, list[str]]:
        return self._loader(custom_fields_of_campaigns)

    @cached_property
    def assigned_contacts(self) -> DataLoader[ContactsWanted, list[CampaignContact]]:
        return self._loader(contacts_of_assignments)

    @cached_property
    def assigned_contact_counts(self) -> DataLoader[ContactsWanted, int]:
        return self._loader(contact_counts_of_assignments)
