"""What a request carries through its resolvers, and where its transactions begin and end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from models.database import Database
from resolvers.loaders import Loaders, broken_connection_is
from services.access import Actor
from services.conversations import Conversations
from services.errors import NotAuthenticated, OutcomeUnknown, ServiceUnavailable
from services.live import Live
from services.send_writer import SendWriter
from services.sessions import SignIn
from services.settings import Settings


@dataclass
class Context:
    """`sign_in`: by what they are signed in, for those who stay.

    `has_written`: something was committed, so no answer may say that nothing was changed."""

    settings: Settings
    database: Database
    writer: SendWriter
    conversations: Conversations
    live: Live
    sign_in: SignIn | None
    signed_in: Actor | None
    has_written: bool = False

    @property
    def actor(self) -> Actor:
        """Raises NotAuthenticated."""
        if self.signed_in is None:
            raise NotAuthenticated
        return self.signed_in

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session of one's own: sibling fields run at the same time, and one session can't serve
        two of them."""
        async with self.database.reads() as session:
            with broken_connection_is(ServiceUnavailable):
                yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: commits at the end, rolls back when anything is raised."""
        async with self.database.sessions() as session:
            with broken_connection_is(ServiceUnavailable):
                yield session
                await session.flush()
            with broken_connection_is(OutcomeUnknown):
                await session.commit()
        self.forget_reads()

    @cached_property
    def loaders(self) -> Loaders:
        return Loaders(self.database.reads, self.settings, self.actor)

    def forget_reads(self) -> None:
        """After a write: what was loaded before it may be stale."""
        self.has_written = True
        self.__dict__.pop("loaders", None)


Info = strawberry.Info[Context, None]
"""How resolvers reach the context. At run time it is graphql-core's own info, see schema/direct.py:
nothing but `context` may be used of it."""
