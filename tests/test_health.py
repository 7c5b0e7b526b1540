"""Is it alive, and can it work? What an operator's probes ask."""

from collections.abc import Callable

import httpx2
import psycopg
import pytest
from sqlalchemy.engine import make_url

from models.migrations import VERSION_TABLE


async def why_not_ready(client: httpx2.AsyncClient) -> str:
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert (await client.get("/healthz")).status_code == 200
    return str(response.json()["reason"])


async def test_a_migrated_database_that_answers_is_ready(client: httpx2.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "reason": None})
    assert (await client.get("/healthz")).text == "ok"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"drop table {VERSION_TABLE}", "not migrated"),
        (
            f"update {VERSION_TABLE} set version_num = 'older' where version_num ~ 'credits'",
            "at an",
        ),
        (f"insert into {VERSION_TABLE} values ('newer')", "at another revision"),
    ],
)
async def test_a_database_at_another_revision_is_not_ready(
    client: httpx2.AsyncClient, demo_url: str, statement: str, reason: str
) -> None:
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute(statement)
    assert reason in await why_not_ready(client)


async def test_an_installed_spoke_is_ready_with_our_branch_alone(
    client: httpx2.AsyncClient, demo_url: str
) -> None:
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute(f"delete from {VERSION_TABLE} where version_num ~ 'spoke'")
    assert (await client.get("/readyz")).status_code == 200


@pytest.fixture
def take_database_away(demo_url: str, postgres: str) -> Callable[[], None]:
    name = make_url(demo_url).database

    def take_away() -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"alter database {name} allow_connections false")
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
            )

    return take_away


@pytest.mark.long
async def test_a_database_that_is_gone_is_not_ready(
    client: httpx2.AsyncClient, take_database_away: Callable[[], None]
) -> None:
    take_database_away()
    assert await why_not_ready(client) == "The database doesn't answer."
