"""Link domains: which texts have one, whose turn it is, and what goes out and is paid for."""

import asyncio
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from models.database import Database
from server.resources import Resources
from services import send_facts
from services.errors import InsufficientCredits, InvalidInput
from services.link_domains import has_link, next_domains, with_domain
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.settings import Settings, load_settings
from tests.api import Api
from tests.world import SETTINGS, Team, books, holding, make_team, rows, value

LINKED = load_settings(enable_shortlink_domains=True)
TEXTS = "select text from message where not is_from_contact order by id"
COUNTS = "select domain, current_usage_count from link_domain order by domain"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(spoke_data_dir=tmp_path, enable_shortlink_domains=True)


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_team(database, contacts=60, credits=100)


async def add(database: Database, team_id: int, *domains: str, uses: int = 2, **more: Any) -> None:
    """In the order in which they are to be taken."""
    for domain in domains:
        await rows(
            database,
            "insert into link_domain (organization_id, domain, max_usage_count, cycled_out_at,"
            " is_manually_disabled) values (%(team)s, %(domain)s, %(uses)s, clock_timestamp(),"
            " %(disabled)s)",
            team=team_id,
            domain=domain,
            uses=uses,
            disabled=more.get("disabled", False),
        )


async def following(database: Database, *team_ids: int) -> list[str | None]:
    async with database.pool.connection() as connection:
        return await next_domains(connection, team_ids)


async def send(
    database: Database, team: Team, text: str, position: int = 0, *, settings: Settings = LINKED,
    writer: SendWriter | None = None, key: str | None = None,
) -> None:  # fmt: skip
    draft = make_draft(
        team.texter,
        contact_id=team.contact_ids[position],
        text=text,
        assignment_id=team.assignment_id,
        key=key,
    )
    writer = writer or SendWriter(database.pool, settings)
    await send_message(writer, settings, team.texter, draft)


async def texts(database: Database) -> list[str]:
    return [text for (text,) in await rows(database, TEXTS)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://a.co/x?y=1.", "See https://new.example/x?y=1."),
        ("HTTP://A.CO:8080 and http://b-b.org", "HTTP://new.example:8080 and http://new.example"),
        ("a.co/x, (b-b.org), “a.co”", "new.example/x, (new.example), “new.example”"),
        ("Go to a.co.", "Go to new.example."),
        ("[https://a.co/pic.jpg]", "[https://new.example/pic.jpg]"),
        ("https://c.de/?u=https://a.co/", "https://c.de/?u=https://new.example/"),
        ("https://long.a.co.uk/", "https://new.example/"),
        ("https://www.a.co https://a.com https://a.co.nz https://a.co-op.org", None),
        ("https://c.de/a.co https://c.de/?h=a.co me@a.co xa.co a.co@c.de", None),
        ("Nothing", None),
        ("", None),
    ],
    ids=str,
)
def test_a_link_is_a_whole_host(text: str, expected: str | None) -> None:
    domains = ["a.co", "b-b.org", "long.a.co.uk"]
    assert has_link(text, domains) == (expected is not None)
    assert with_domain(text, domains, "new.example") == (expected or text)


async def test_the_domain_that_has_rested_longest_takes_so_many_texts(
    database: Database, team: Team
) -> None:
    """As many at once as one by one."""
    other = await make_team(database)
    await add(database, team.id, "a.co", "b.co", "c.co")
    await add(database, team.id, "off.co", disabled=True)
    await add(database, team.id, "bad.co")
    await add(database, other.id, "zero.co", uses=0)
    await rows(database, "insert into unhealthy_link_domain (domain) values ('bad.co')")
    first = [(await following(database, team.id))[0] for _ in range(3)]
    batch = await following(database, team.id, other.id, *[team.id] * 5)
    assert first == ["a.co", "a.co", "b.co"]
    assert batch == ["b.co", "zero.co", "c.co", "c.co", "a.co", "a.co", "b.co"]
    assert dict(await rows(database, COUNTS)) == {
        "a.co": 0, "b.co": 1, "c.co": 0, "bad.co": 0, "off.co": 0, "zero.co": 0
    }  # fmt: skip


async def test_nobody_waits_for_a_domain(database: Database, team: Team) -> None:
    await add(database, team.id, "a.co", "b.co")
    hold = "select from link_domain where domain = any(%(held)s) for update"
    async with asyncio.timeout(60):
        async with holding(database, hold, held=["a.co"]):
            assert await following(database, team.id) == ["b.co"]
        async with holding(database, hold, held=["a.co", "b.co"]):
            assert await following(database, team.id) == ["a.co"]
    assert await rows(database, COUNTS) == [("a.co", 0), ("b.co", 1)]


async def test_a_text_goes_out_with_the_domain_whose_turn_it_is(
    database: Database, team: Team
) -> None:
    await add(database, team.id, "a.co", "b.co")
    for position in range(3):
        await send(database, team, "https://b.co/x or a.co", position)
    await send(database, team, "No link", 3)
    links = [f"https://{domain}/x or {domain}" for domain in ("a.co", "a.co", "b.co")]
    assert await texts(database) == [*links, "No link"]
    assert await rows(database, COUNTS) == [("a.co", 0), ("b.co", 1)]


async def test_it_costs_what_goes_out(database: Database, team: Team) -> None:
    long = "a-domain-with-a-long-name.example"
    await add(database, team.id, long, "b.co", uses=1)
    text = f"https://b.co/{'x' * (160 - len('https://b.co/'))}"
    await send(database, team, text)
    assert (await books(database, team.id)).balance == 98
    await send(database, team, text.replace("b.co", long), 1)
    assert (await books(database, team.id)).balance == 97
    assert [len(text) for text in await texts(database)] == [160 + len(long) - len("b.co"), 160]


@pytest.mark.parametrize("settings", [SETTINGS, LINKED], ids=["off", "none is healthy"])
async def test_else_the_text_stays_as_it_is(
    database: Database, team: Team, settings: Settings
) -> None:
    await add(database, team.id, "a.co", "", disabled=settings is LINKED)
    await send(database, team, "https://a.co/", settings=settings)
    assert await texts(database) == ["https://a.co/"]
    assert await rows(database, COUNTS) == [("", 0), ("a.co", 0)]


def test_unless_they_are_enabled_nobody_asks_for_domains() -> None:
    for share, limits, services in itertools.product([False, True], repeat=3):
        assert "link_domain" not in send_facts._statement(share, limits, False, services)


async def test_a_repeat_is_told_by_the_text_that_was_wanted(database: Database, team: Team) -> None:
    await add(database, team.id, "a.co", "b.co", uses=1)
    for _ in range(2):
        await send(database, team, "https://b.co/", key="one")
    assert await texts(database) == ["https://a.co/"]
    with pytest.raises(InvalidInput):
        await send(database, team, "https://a.co/", key="one")


async def test_a_crowd_before_an_empty_account_uses_no_domain_up(
    database: Database, team: Team
) -> None:
    await add(database, team.id, "a.co", uses=100)
    await rows(database, "update credit_account set balance = 0")
    for _ in range(5):
        with pytest.raises(InsufficientCredits):
            await send(database, team, "https://a.co/")
    assert await rows(database, COUNTS) == [("a.co", 1)]  # the first, which opened the exhaustion


async def test_many_at_once_take_turns(database: Database, team: Team) -> None:
    await add(database, team.id, "a.co", "b.co", uses=10)
    writer = SendWriter(database.pool, LINKED)
    await asyncio.gather(
        *(send(database, team, "https://b.co/", n, writer=writer) for n in range(55))
    )
    found = Counter(await texts(database))
    assert found == {"https://a.co/": 30, "https://b.co/": 25}
    assert (await books(database, team.id)).balance == 45


async def test_confirmations_and_texts_with_tags_take_turns_too(
    api: Api, resources: Resources
) -> None:
    await add(resources.database, 1, "a.co", "b.co", uses=1)
    message = '{text: "https://b.co/", assignmentId: "1"}'
    for change in (
        f'tagConversation(campaignContactId: "1", tag: {{addedTagIds: ["1"], removedTagIds: [],'
        f" message: {message}}})",
        f'createOptOut(campaignContactId: "1", optOut: {{cell: "+12022010000",'
        f" message: {message}}})",
    ):
        assert (await api("texter", f"mutation {{ {change} {{ id }} }}")).ok
    found = await value(
        resources.database,
        "select array_agg(text order by id) from message where campaign_contact_id = 1",
    )
    assert found == ["https://a.co/", "https://b.co/"]
