"""A real PostgreSQL, and for each test a database of its own, cloned from a template."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from models.database import Database, open_database
from models.migrations import VERSION_TABLE, downgrade, upgrade
from server import demo
from server.app import create_app
from server.embedded_postgres import embedded_postgres
from server.resources import Resources, open_resources
from server.serve import _settle_garbage_collection
from server.sessions import COOKIE, signed
from services import passwords
from services.sessions import start_session
from services.settings import Settings, load_settings
from tests.api import Api
from tests.world import SETTINGS

MakeDatabase = Callable[[str | None], AbstractContextManager[str]]

SECRET = "a-secret-for-the-tests"
UNSAFE_BUT_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
}
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that must be free there."""


def pytest_collection_finish() -> None:
    """All is imported, as in a server that has started."""
    _settle_garbage_collection()


@contextmanager
def database_folder() -> Iterator[Path]:
    """In memory where there is room: a database for each test is a thousand times 300 files. Unlike
    pytest's, PostgreSQL's own user can enter it, whoever runs the tests."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    with tempfile.TemporaryDirectory(
        prefix="spoke-credits-", dir=MEMORY if has_room else None
    ) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server's database; each xdist worker has a server of its own."""
    with (
        database_folder() as folder,
        embedded_postgres(folder, settings=UNSAFE_BUT_FAST) as url,
    ):
        _hash_once(url)
        yield url


def _hash_once(url: str) -> None:
    """The password, instead of 4,096 times: tests connect thousands of times."""
    known = make_url(url)
    assert known.username
    change = sql.SQL("alter role {} password {}").format(
        sql.Identifier(known.username), sql.Literal(known.password)
    )
    with psycopg.connect(url) as connection:
        connection.execute("set scram_iterations = 1")
        connection.execute(change)


@pytest.fixture(scope="session")
def make_database(postgres: str) -> Iterator[MakeDatabase]:
    """Makes a database from a template, or an empty one, for as long as the block lasts."""
    numbers = itertools.count(1)
    with psycopg.connect(postgres, autocommit=True) as connection:

        @contextmanager
        def make(template: str | None) -> Iterator[str]:
            name = f"test_{next(numbers)}"
            source = make_url(template).database if template else "template0"
            connection.execute(f'create database {name} template "{source}" strategy file_copy')
            yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
            connection.execute(f"drop database {name} with (force)")

        yield make


@pytest.fixture(scope="session")
def template(make_database: MakeDatabase) -> Iterator[str]:
    """A migrated database without rows."""
    with make_database(None) as url:
        upgrade(url)
        yield url


@pytest.fixture(scope="session")
def demo_template(make_database: MakeDatabase, template: str) -> Iterator[str]:
    """A migrated database with the demo data."""
    with make_database(template) as url:
        asyncio.run(_fill(url))
        yield url


async def _fill(url: str) -> None:
    async with open_database(url) as database, database.sessions.begin() as session:
        await demo.seed(session, SETTINGS)


@pytest.fixture
def database_url(make_database: MakeDatabase, template: str) -> Iterator[str]:
    with make_database(template) as url:
        yield url


@pytest.fixture
def demo_url(make_database: MakeDatabase, demo_template: str) -> Iterator[str]:
    with make_database(demo_template) as url:
        yield url


@pytest.fixture
def installed_spoke(database_url: str) -> str:
    """A database as an installed Spoke has it: its tables, and a table that we know nothing of."""
    downgrade(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(f"drop table {VERSION_TABLE}")
        connection.execute("create table knex_migrations (id serial primary key, name text)")
        connection.execute("insert into organization (name) values ('Installed before us')")
    return database_url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Without rows."""
    async with open_database(database_url, send_pool_size=8) as database:
        yield database


@pytest.fixture
def folder() -> Iterator[Path]:
    """For an embedded database of one's own."""
    with database_folder() as name:
        yield name / "data"


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """What they are where a test doesn't give others as a parameter."""
    if given := getattr(request, "param", None):
        return load_settings(spoke_data_dir=tmp_path, **given)
    return SETTINGS.model_copy(update={"spoke_data_dir": tmp_path})


@pytest.fixture
async def resources(demo_url: str, settings: Settings) -> AsyncIterator[Resources]:
    """What a server on the demo data holds open."""
    async with open_resources(settings, demo_url, SECRET) as resources:
        yield resources


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP to a server on the demo data, not signed in."""
    app = create_app(resources.settings, url="", secret=SECRET)
    app.state.resources = resources
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


@pytest.fixture
async def cheap_passwords(monkeypatch: pytest.MonkeyPatch, resources: Resources) -> None:
    """The demo people's too. For tests that sign in on their way to something else: checking a
    password takes 0.2 s of CPU otherwise."""
    monkeypatch.setattr(passwords, "_ROUNDS", 25)
    change = """update "user" set auth0_id = %s where auth0_id like 'localauth|%%'"""
    async with resources.database.pool.connection() as connection:
        await connection.execute(change, [await passwords.hash_password(demo.PASSWORD)])


@pytest.fixture
def sign_in(resources: Resources) -> Callable[[str], Awaitable[dict[str, str]]]:
    """Cookies of a new session for the person with this e-mail."""

    async def cookies(email: str) -> dict[str, str]:
        pool = resources.database.pool
        async with pool.connection() as connection:
            cursor = await connection.execute('select id from "user" where email = %s', [email])
            row = await cursor.fetchone()
        assert row is not None, email
        sid = await start_session(pool, row[0], secure=False)
        return {COOKIE: signed(sid, SECRET)}

    return cookies


@pytest.fixture
def api(client: httpx2.AsyncClient, sign_in: Callable[[str], Awaitable[dict[str, str]]]) -> Api:
    """GraphQL as one of the demo people."""
    return Api(client, sign_in)
