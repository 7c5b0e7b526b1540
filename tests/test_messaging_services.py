"""From which messaging service a contact is texted, and that it stays so."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import pytest

from models.database import Database, open_database
from services import send_facts
from services.errors import InsufficientCredits, ProviderUnsupported
from services.messaging_services import services_by_sid
from services.providers import MessagingService
from services.send_statement import Send, write_sends
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.settings import Settings, SettingsError, load_settings
from tests.conftest import SECRET
from tests.world import (
    Team,
    add_messaging_service,
    changed_tables,
    make_send,
    make_team,
    rows,
    state,
    value,
)

TWILIO = load_settings(default_service="twilio", base_url="https://a.example")
STICKS = "select cell, organization_id, messaging_service_sid from messaging_service_stick"
ACCEPTED = """
select messaging_service_sid from outbound_text join message on message.id = message_id
where contact_number = %(cell)s order by message_id
"""


async def add(database: Database, team: Team, sid: str, **details: Any) -> None:
    account = ("AC1", "token")
    await add_messaging_service(database, team.id, sid, SECRET, account=account, **details)


async def send(
    database: Database, team: Team, position: int = 0, *, settings: Settings = TWILIO
) -> None:
    draft = make_draft(
        team.texter,
        contact_id=team.contact_ids[position],
        text="Hi!",
        assignment_id=team.assignment_id,
    )
    await send_message(SendWriter(database.pool, settings), settings, team.texter, draft)


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_team(database, contacts=40, credits=100)


async def set_campaigns(database: Database, sid: str) -> None:
    await rows(database, "update all_campaign set messaging_service_sid = %(sid)s", sid=sid)


async def test_the_campaigns_service_comes_first(database: Database, team: Team) -> None:
    for sid in ("MG1", "MG2"):
        await add(database, team, sid)
    await send(database, team)
    await set_campaigns(database, "MG1")
    await send(database, team)
    await set_campaigns(database, "MG2")
    await send(database, team)
    await send(database, team, 1)
    used = await rows(database, ACCEPTED, cell=team.cells[0])
    assert [row.messaging_service_sid for row in used][1:] == ["MG1", "MG2"]
    assert len(await rows(database, STICKS)) == 1  # by the first text alone
    assert await value(database, "select array_agg(distinct service) from message") == ["twilio"]


async def test_a_cell_keeps_its_service(database: Database, team: Team) -> None:
    await add(database, team, "MG1")
    await send(database, team)
    assert await rows(database, STICKS) == [(team.cells[0], team.id, "MG1")]
    await rows(database, "update messaging_service set active = false")
    for number in range(2, 12):
        await add(database, team, f"MG{number}")
    await send(database, team)
    assert [tuple(row) for row in await rows(database, ACCEPTED, cell=team.cells[0])] == [
        ("MG1",),
        ("MG1",),
    ]
    assert len(await rows(database, STICKS)) == 1


async def test_a_cell_keeps_one_service_for_each_team(database: Database, team: Team) -> None:
    other = await make_team(database)
    await add(database, team, "MG1")
    await add(database, other, "MG2")
    for one in (team, other):
        await send(database, one)
    assert await rows(database, f"{STICKS} order by 2") == [
        (team.cells[0], team.id, "MG1"),
        (team.cells[0], other.id, "MG2"),
    ]


async def test_services_share_the_cells_and_repeats_agree(database: Database, team: Team) -> None:
    for number in range(4):
        await add(database, team, f"MG{number}")
    for position in range(40):
        await send(database, team, position)
    chosen = dict(
        await rows(database, "select cell, messaging_service_sid from messaging_service_stick")
    )
    assert len(chosen) == 40
    assert min(Counter(chosen.values()).values()) >= 3
    assert len(set(chosen.values())) == 4
    await rows(database, "delete from messaging_service_stick")
    await add(database, team, "MG5")
    for position in range(40):
        await send(database, team, position)
    again = dict(
        await rows(database, "select cell, messaging_service_sid from messaging_service_stick")
    )
    moved = {again[cell] for cell in chosen if again[cell] != chosen[cell]}
    assert moved == {"MG5"}


@pytest.mark.parametrize(
    "services",
    [
        [],
        [("MG1", {"kind": "assemble-numbers"})],
        [("MG1", {"active": False})],
    ],
)
async def test_a_text_that_nobody_can_send_is_refused_before_its_debit(
    database: Database, team: Team, services: list[Any]
) -> None:
    for sid, details in services:
        await add(database, team, sid, **details)
    before = await state(database)
    with pytest.raises(ProviderUnsupported) as caught:
        await send(database, team)
    assert caught.value.extensions == {"code": "PROVIDER_UNSUPPORTED"}
    assert changed_tables(before, await state(database)) == set()


@pytest.mark.parametrize("place", ["campaign", "stick"])
async def test_a_chosen_service_that_only_spoke_speaks_to_is_not_replaced(
    database: Database, team: Team, place: str
) -> None:
    await add(database, team, "MG1")
    await add(database, team, "profile", kind="assemble-numbers")
    if place == "campaign":
        await set_campaigns(database, "profile")
    else:
        await rows(
            database,
            "insert into messaging_service_stick values (%(cell)s, %(team)s, 'profile')",
            cell=team.cells[0],
            team=team.id,
        )
    with pytest.raises(ProviderUnsupported):
        await send(database, team)


async def test_of_several_services_one_that_we_speak_to_is_chosen(
    database: Database, team: Team
) -> None:
    for number in range(9):
        await add(database, team, f"profile {number}", kind="assemble-numbers")
    await add(database, team, "MG1")
    for position in range(5):
        await send(database, team, position)
    used = await value(
        database, "select array_agg(distinct messaging_service_sid) from outbound_text"
    )
    assert used == ["MG1"]


async def test_a_refused_text_leaves_no_stick(database: Database) -> None:
    team = await make_team(database, credits=0)
    await add(database, team, "MG1")
    with pytest.raises(InsufficientCredits):
        await send(database, team)
    assert await rows(database, STICKS) == []


async def test_the_first_stick_stays(database: Database, team: Team) -> None:
    """Two servers that chose differently, as one knew of a service that the other didn't."""
    for sid in ("MG1", "MG2"):
        await add(database, team, sid)
        wish = make_send(team, service="twilio", messaging_service_sid=sid, sticks=True)
        async with database.pool.connection() as connection:
            await write_sends(connection, [wish])
    assert await rows(database, STICKS) == [(team.cells[0], team.id, "MG1")]


async def test_servers_that_stick_the_same_cells_wait_for_each_other(database_url: str) -> None:
    """In whichever order: teams that never used credits have no account to queue at."""
    async with open_database(database_url, send_pool_size=4) as database:
        team = await make_team(database, contacts=60)
        await add(database, team, "MG1")
        other = await rows(database, _SECOND_CAMPAIGN, team=team.id, texter=team.texter.user_id)
        sends = [
            wish(team, cell=row.cell, contact_id=row.id, assignment_id=row.assignment_id)
            for row in other
        ]
        own = [
            wish(team, cell=cell, contact_id=contact_id, assignment_id=team.assignment_id)
            for cell, contact_id in zip(team.cells, team.contact_ids, strict=True)
        ]

        async def write(batch: list[Send]) -> None:
            async with database.pool.connection() as connection:
                await write_sends(connection, batch)

        for _ in range(20):
            await rows(database, "delete from messaging_service_stick")
            await asyncio.gather(write(own), write(sends[::-1]), write([]))
        assert len(await rows(database, STICKS)) == 60


def wish(team: Team, *, cell: str, contact_id: int, assignment_id: int) -> Send:
    return make_send(
        team,
        contact_id=contact_id,
        contact_number=cell,
        contact_assignment_id=assignment_id,
        assignment_id=assignment_id,
        service="twilio",
        messaging_service_sid="MG1",
        sticks=True,
    )


_SECOND_CAMPAIGN = """
with made as (
  insert into all_campaign (organization_id, title, is_started, is_archived)
  values (%(team)s, 'Sunday', true, false) returning id
),
assigned as (
  insert into assignment (user_id, campaign_id) select %(texter)s, id from made returning id
)
insert into campaign_contact (campaign_id, assignment_id, cell)
select made.id, assigned.id, c.cell from made, assigned, campaign_contact c
returning id, cell, assignment_id
"""


async def test_with_fakeservice_nobody_asks_for_services(database: Database, team: Team) -> None:
    await add(database, team, "MG1")
    await send(database, team, settings=load_settings())
    assert await rows(
        database,
        "select service, messaging_service_sid from message"
        " join outbound_text on message.id = message_id",
    ) == [("fakeservice", None)]
    assert await rows(database, STICKS) == []
    for flags in itertools.product([False, True], repeat=3):
        assert "messaging_service" not in send_facts._statement(*flags, False)


async def test_services_are_read_by_their_sids(database: Database, team: Team) -> None:
    await add(database, team, "MG1")
    await add(database, team, "profile", kind="assemble-numbers")
    async with database.pool.connection() as connection:
        found = await services_by_sid(connection, ["MG1", "none", "profile", "MG1"])
    assert found[1:3] == [None, None]
    assert found[0] == found[3]
    assert isinstance(found[0], MessagingService)
    assert found[0].account_sid == "AC1"


@pytest.mark.parametrize(
    "given",
    [
        {"default_service": "nexmo"},
        {"default_service": "twilio"},
        {"default_service": "twilio", "base_url": "http://a.example"},
        {"default_service": "twilio", "base_url": "http://127.0.0.1:8000"},
        {
            "default_service": "twilio",
            "base_url": "http://a.example",
            "twilio_host": "http://localhost:1",
        },
        {"twilio_texts_per_second": 0},
    ],
)
def test_settings_that_can_not_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"DEFAULT_SERVICE|TWILIO_TEXTS_PER_SECOND"):
        load_settings(**given)
