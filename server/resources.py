"""What a server process holds open while it runs."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from models.database import Database, open_database
from server.attempts import Attempts
from server.databases import listening_url
from server.upstream import Upstream, open_upstream
from services.access import Actor
from services.bell import Bell
from services.conversations import Conversations
from services.live import Live
from services.messaging_services import services_by_sid, services_of_texts
from services.providers import MessagingService
from services.report_writer import ReportWriter
from services.send_writer import SendWriter
from services.sessions import SignIn, actors_of_sign_ins
from services.settings import Settings
from services.shared_statements import SharedStatements


@dataclass(frozen=True, slots=True)
class Resources:
    """`connected`: how many WebSockets each person has; `upstream`: the Spoke behind us."""

    settings: Settings
    secret: str
    database: Database
    bell: Bell
    writer: SendWriter
    conversations: Conversations
    reports: ReportWriter
    messaging_services: SharedStatements[str, MessagingService | None]
    services_of_texts: SharedStatements[int, MessagingService | None]
    sign_ins: SharedStatements[SignIn, Actor | None]
    live: Live
    attempts: Attempts
    connected: Counter[int]
    upstream: Upstream | None


@asynccontextmanager
async def open_resources(settings: Settings, url: str, secret: str) -> AsyncIterator[Resources]:
    async with (
        open_database(
            url,
            pool_size=settings.database_pool_size,
            send_pool_size=settings.send_pool_size,
            prepares=settings.database_prepare,
        ) as database,
        open_upstream(settings) as upstream,
    ):
        bell = Bell(database.pool)
        writer = SendWriter(database.pool, settings, bell)
        live = Live(database.pool, settings, listening_url(settings, url))
        try:
            yield Resources(
                settings=settings,
                secret=secret,
                database=database,
                bell=bell,
                writer=writer,
                conversations=Conversations(database.pool, settings),
                reports=ReportWriter(database.pool),
                messaging_services=SharedStatements(database.pool, services_by_sid),
                services_of_texts=SharedStatements(database.pool, services_of_texts),
                sign_ins=SharedStatements(database.pool, actors_of_sign_ins),
                live=live,
                attempts=Attempts(),
                connected=Counter(),
                upstream=upstream,
            )
        finally:
            await live.close()
            await writer.drain()
            await bell.drain()


def resources_of(connection: HTTPConnection) -> Resources:
    app = cast(Starlette, connection.app)
    return cast(Resources, app.state.resources)
