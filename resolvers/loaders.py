"""Reads that many fields of one request share. Each load has a session of its own."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from strawberry.dataloader import DataLoader

from models.campaigns import Campaign
from models.contacts import CampaignContact, ZipCode
from models.organizations import Organization
from models.scripts import CampaignVariable, CannedResponse, InteractionStep
from models.tags import Tag
from models.users import User
from services.access import Actor
from services.campaigns import Wanted as CampaignsWanted
from services.campaigns import (
    campaigns_of_teams,
    campaigns_with_unassigned_contacts,
    custom_fields_of_campaigns,
)
from services.canned_responses import Wanted as ResponsesWanted
from services.canned_responses import canned_responses
from services.contacts import (
    ContactsWanted,
    contact_counts_of_assignments,
    contacts_of_assignments,
    places_by_zip,
)
from services.errors import Forbidden, ServiceError, ServiceUnavailable
from services.hand_outs import Target, targets_of_organizations
from services.preflight import Estimate, estimates_of_campaigns
from services.purchases import (
    Purchase,
    Wanted,
    people_of,
    purchases_of_teams,
    remaining_after_purchases,
)
from services.questions import (
    AnswerOption,
    answers_of_contacts,
    options_of_steps,
    steps_by_id,
    steps_of_campaigns,
    variables_of_campaigns,
)
from services.rows import rows_by_id
from services.settings import Settings
from services.tags import TagOfContact, tags_of_contacts, tags_of_teams
from services.teams import Team, teams_by_id
from services.usage import Usage, require_few_rows, usage_of_teams
from services.usage import Wanted as UsageWanted
from services.users import (
    TeamMembership,
    credit_contacts_of_teams,
    memberships_of_users,
    require_private,
)

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
        self._usage_rows = 0

    def _loader(self, read: Read[Key, Value]) -> DataLoader[Key, Value]:
        async def load(keys: list[Key]) -> Sequence[Value]:
            async with self._sessions() as session:
                with broken_connection_is(ServiceUnavailable):
                    return await read(session, keys)

        return DataLoader(load_fn=load, max_batch_size=MOST_KEYS)

    @cached_property
    def users(self) -> DataLoader[int, User | None]:
        return self._loader(lambda session, ids: rows_by_id(session, User, ids))

    def person(self, user_id: int | None) -> Awaitable[User | None] | User | None:
        """At once if they are there already: for thousands of rows with few people among them,
        waiting costs more than all the rest."""
        if user_id is None:
            return None
        person = self.users.load(user_id)
        return person.result() if isinstance(person, Future) and person.done() else person

    @cached_property
    def organizations(self) -> DataLoader[int, Organization | None]:
        return self._loader(lambda session, ids: rows_by_id(session, Organization, ids))

    @cached_property
    def campaigns(self) -> DataLoader[int, Campaign | None]:
        return self._loader(lambda session, ids: rows_by_id(session, Campaign, ids))

    @cached_property
    def campaigns_of_teams(self) -> DataLoader[CampaignsWanted, list[Campaign]]:
        return self._loader(campaigns_of_teams)

    @cached_property
    def teams(self) -> DataLoader[int, Team | None]:
        """As the actor sees them: their role is part of it."""
        return self._loader(lambda session, ids: teams_by_id(session, self._actor, ids))

    @cached_property
    def targets(self) -> DataLoader[int, list[Target]]:
        """Of organizations: what the actor may ask for there."""
        return self._loader(
            lambda session, ids: targets_of_organizations(session, self._actor, ids)
        )

    @cached_property
    def private_people(self) -> DataLoader[int, Forbidden | None]:
        """Raises Forbidden where what is private to the person is none of the actor's business."""
        return self._loader(lambda session, ids: require_private(session, self._actor, ids))

    @cached_property
    def memberships(self) -> DataLoader[int, list[TeamMembership]]:
        return self._loader(memberships_of_users)

    @cached_property
    def credit_contacts(self) -> DataLoader[int, list[User]]:
        """Of teams."""
        return self._loader(credit_contacts_of_teams)

    @cached_property
    def purchases(self) -> DataLoader[Wanted, list[Purchase]]:
        return self._loader(self._purchases_and_people)

    async def _purchases_and_people(
        self, session: AsyncSession, wanted: Sequence[Wanted]
    ) -> list[list[Purchase]]:
        """With the people at once: see `person`."""
        found = await purchases_of_teams(session, wanted)
        ids = list(people_of(chain.from_iterable(found)))
        people = await rows_by_id(session, User, ids) if ids else []
        self.users.prime_many(dict(zip(ids, people, strict=True)))
        return found

    @cached_property
    def remaining_after(self) -> DataLoader[int, int]:
        """Purchases."""
        return self._loader(remaining_after_purchases)

    @cached_property
    def usage(self) -> DataLoader[UsageWanted, list[Usage]]:
        return self._loader(usage_of_teams)

    async def usage_of_team(self, wanted: UsageWanted) -> list[Usage]:
        """Rows that are shown twice count twice: showing them takes the time. Days and months are
        counted before they are read, so that of those asked for at once all are shown or none;
        campaigns once they are known. Raises InvalidInput."""
        self._count_usage(wanted.known_rows)
        found = await self.usage.load(wanted)
        self._count_usage(len(found) - wanted.known_rows)
        return found

    def _count_usage(self, rows: int) -> None:
        self._usage_rows += rows
        require_few_rows(self._usage_rows)

    @cached_property
    def has_unassigned_contacts(self) -> DataLoader[int, bool]:
        return self._loader(campaigns_with_unassigned_contacts)

    @cached_property
    def custom_fields(self) -> DataLoader[int, list[str]]:
        return self._loader(custom_fields_of_campaigns)

    @cached_property
    def estimates(self) -> DataLoader[int, Estimate | None]:
        """Asks for newer ones where need be: each statement is a unit of work by itself."""
        return self._loader(estimates_of_campaigns)

    @cached_property
    def assigned_contacts(self) -> DataLoader[ContactsWanted, list[CampaignContact]]:
        return self._loader(contacts_of_assignments)

    @cached_property
    def assigned_contact_counts(self) -> DataLoader[ContactsWanted, int]:
        return self._loader(contact_counts_of_assignments)

    @cached_property
    def steps_of_campaigns(self) -> DataLoader[int, list[InteractionStep]]:
        return self._loader(steps_of_campaigns)

    @cached_property
    def steps(self) -> DataLoader[int, InteractionStep | None]:
        return self._loader(steps_by_id)

    @cached_property
    def answer_options(self) -> DataLoader[int, list[AnswerOption]]:
        return self._loader(options_of_steps)

    @cached_property
    def answers(self) -> DataLoader[int, list[AnswerOption]]:
        return self._loader(answers_of_contacts)

    @cached_property
    def campaign_variables(self) -> DataLoader[int, list[CampaignVariable]]:
        return self._loader(variables_of_campaigns)

    @cached_property
    def canned_responses(self) -> DataLoader[ResponsesWanted, list[CannedResponse]]:
        return self._loader(canned_responses)

    @cached_property
    def tags(self) -> DataLoader[int, list[Tag]]:
        return self._loader(tags_of_teams)

    @cached_property
    def contact_tags(self) -> DataLoader[int, list[TagOfContact]]:
        return self._loader(tags_of_contacts)

    @cached_property
    def places(self) -> DataLoader[str, ZipCode | None]:
        return self._loader(places_by_zip)
