"""What a server process holds open while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from models.database import Database, open_database
from server.attempts import Attempts
from services.access import Actor
from services.bell import Bell
from services.conversations import Conversations
from services.delivery_reports import Applied, apply_reports
from services.messaging_services import services_by_sid, services_of_texts
from services.providers import MessagingService, Report
from services.send_writer import SendWriter
from services.sessions import actors_of_sessions, actors_of_tokens
from services.settings import Settings
from services.shared_reads import SharedReads


@dataclass(frozen=True, slots=True)
class Resources:
    settings: Settings
    secret: str
    database: Database
    bell: Bell
    writer: SendWriter
    conversations: Conversations
    sessions: SharedReads[str, Actor | None]
    tokens: SharedReads[str, Actor | None]
    reports: SharedReads[Report, Applied]
    messaging_services: SharedReads[str, MessagingService | None]
    services_of_texts: SharedReads[int, MessagingService | None]
    attempts: Attempts


@asynccontextmanager
async def open_resources(settings: Settings, url: str, secret: str) -> AsyncIterator[Resources]:
    async with open_database(
        url,
        pool_size=settings.database_pool_size,
        send_pool_size=settings.send_pool_size,
        prepares=settings.database_prepare,
    ) as database:
        bell = Bell(database.pool)
        writer = SendWriter(database.pool, settings, bell)
        try:
            yield Resources(
                settings=settings,
                secret=secret,
                database=database,
                bell=bell,
                writer=writer,
                conversations=Conversations(database.pool),
                sessions=SharedReads(database.pool, actors_of_sessions),
                tokens=SharedReads(database.pool, actors_of_tokens),
                reports=SharedReads(database.pool, apply_reports),
                messaging_services=SharedReads(database.pool, services_by_sid),
                services_of_texts=SharedReads(database.pool, services_of_texts),
                attempts=Attempts(),
            )
        finally:
            await writer.drain()
            await bell.drain()


def resources_of(connection: HTTPConnection) -> Resources:
    app = cast(Starlette, connection.app)
    return cast(Resources, app.state.resources)
