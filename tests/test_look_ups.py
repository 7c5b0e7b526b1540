"""Texts of which nobody knows whether they left: what the provider has is one text's, what it
doesn't have goes out in its turn, and not to who doesn't want it any more."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from models.database import Database
from server.text_worker import TextWorker, text_worker
from services.settings import Settings, load_settings
from tests.conftest import SECRET
from tests.test_text_worker import NOW, QUICK, accept, until
from tests.twilio_twin import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    BEHAVIOURS,
    SERVICE_SID,
    Behaviour,
    TwilioTwin,
    twilio_twin,
)
from tests.world import Team, add_messaging_service, books, make_team, rows, value

LEFT, LOST = BEHAVIOURS["breaks-accepted"], BEHAVIOURS["breaks"]
PACE = replace(QUICK, look_up_after=NOW)
IN_STATE = "select count(*) from outbound_text where state = %(state)s"


@pytest.fixture
def twin() -> Iterator[TwilioTwin]:
    with twilio_twin() as twin:
        yield twin


def settings_for(twin: TwilioTwin) -> Settings:
    """Reports go to the twin itself, which doesn't know what to do with them."""
    return load_settings(default_service="twilio", twilio_host=twin.url, base_url=twin.url)


async def two_teams_of_one_number(database: Database) -> list[Team]:
    teams = [await make_team(database, credits=5) for _ in range(2)]
    await add_messaging_service(
        database, teams[0].id, SERVICE_SID, SECRET, account=(ACCOUNT_SID, AUTH_TOKEN)
    )
    assert teams[0].cells == teams[1].cells
    return teams


async def say(database: Database, team: Team, text: str = "Polls are open!") -> int:
    [message_id] = await accept(
        database, team, 0, service="twilio", messaging_service_sid=SERVICE_SID, text=text
    )
    return message_id


async def looked_up_by(*workers: TextWorker, database: Database, unknown: int) -> None:
    await until(database, IN_STATE, unknown, state="UNKNOWN")
    await asyncio.gather(*(worker.look_up() for worker in workers))


@pytest.mark.parametrize("left", [(LEFT, LOST), (LOST, LEFT), (LEFT, LEFT)])
async def test_of_two_that_say_the_same_each_goes_out_once(
    database: Database, twin: TwilioTwin, left: tuple[Behaviour, Behaviour]
) -> None:
    teams = await two_teams_of_one_number(database)
    twin.will_treat(teams[0].cells[0], *left)
    ids = [await say(database, team) for team in teams]
    async with text_worker(database.pool, settings_for(twin), SECRET, PACE) as worker:
        await looked_up_by(worker, database=database, unknown=2)
        await until(database, IN_STATE, 2, state="DONE")
    found = await rows(database, "select service_id from message order by id")
    assert {row.service_id for row in found} == {text.sid for text in twin.accepted}
    assert len(twin.accepted) == len(ids)


async def test_what_follows_in_a_conversation_waits_for_what_nobody_knows(
    database: Database, twin: TwilioTwin
) -> None:
    [team, _] = await two_teams_of_one_number(database)
    twin.will_treat(team.cells[0], LOST)
    for text in ("First", "Second"):
        await say(database, team, text)
    async with text_worker(database.pool, settings_for(twin), SECRET, PACE) as worker:
        await until(database, IN_STATE, 1, state="UNKNOWN")
        worker.wake()
        await until(database, IN_STATE, 1, state="QUEUED")
        await worker.look_up()
        await until(database, IN_STATE, 2, state="DONE")
    assert [text.body for text in twin.accepted] == ["First", "Second"]


async def opt_out(database: Database, team: Team, *, after: str = "1 microsecond") -> None:
    """As a stop-word does it."""
    await rows(
        database,
        "insert into opt_out (cell, organization_id, reason_code, created_at)"
        " select %(cell)s, %(team)s, 'Automatic OptOut', max(created_at) + %(after)s::interval"
        " from message",
        cell=team.cells[0],
        team=team.id,
        after=after,
    )


async def test_what_never_left_is_not_sent_to_who_has_opted_out_since(
    database: Database, twin: TwilioTwin
) -> None:
    [team, other] = await two_teams_of_one_number(database)
    twin.will_treat(team.cells[0], LOST)
    await say(database, team)
    async with text_worker(database.pool, settings_for(twin), SECRET, PACE) as worker:
        await until(database, IN_STATE, 1, state="UNKNOWN")
        await opt_out(database, team)
        await say(database, team, "Another")
        await worker.look_up()
        await until(database, IN_STATE, 2, state="DONE")
        await say(database, other, "Of a team that may still text")
        await until(database, IN_STATE, 3, state="DONE")
    statuses = await rows(database, "select send_status from message order by id")
    assert [row.send_status for row in statuses] == ["NOT_ATTEMPTED", "SENT", "SENT"]
    assert (await books(database, team.id)).balance == 4


@pytest.mark.parametrize(
    ("after", "share", "status"),
    [
        ("1 microsecond", False, "NOT_ATTEMPTED"),
        ("0", False, "DELIVERED"),
        ("-1 hour", False, "DELIVERED"),
        ("-1 hour", True, "DELIVERED"),
    ],
)
async def test_a_text_goes_out_unless_its_contact_opted_out_after_it(
    database: Database, after: str, share: bool, status: str
) -> None:
    """A confirmation is written with the opt-out, or after it."""
    team = await make_team(database, credits=5)
    await accept(database, team, 0)
    await opt_out(database, team, after=after)
    settings = load_settings(optouts_share_all_orgs=share)
    async with text_worker(database.pool, settings, SECRET, PACE):
        await until(database, IN_STATE, 1, state="DONE")
    assert await value(database, "select send_status from message") == status
    assert (await books(database, team.id)).balance == (5 if status == "NOT_ATTEMPTED" else 4)


@pytest.mark.parametrize(("share", "status"), [(False, "DELIVERED"), (True, "NOT_ATTEMPTED")])
async def test_an_opt_out_from_another_team_counts_where_they_are_shared(
    database: Database, share: bool, status: str
) -> None:
    team, other = [await make_team(database, credits=5) for _ in range(2)]
    await accept(database, team, 0)
    await opt_out(database, other)
    settings = load_settings(optouts_share_all_orgs=share)
    async with text_worker(database.pool, settings, SECRET, PACE):
        await until(database, IN_STATE, 1, state="DONE")
    assert await value(database, "select send_status from message") == status


async def test_nothing_is_asked_of_twilio_where_texts_are_not_sent_out(
    database: Database, twin: TwilioTwin
) -> None:
    """A copy of a database that sends by Twilio, tried out with fakeservice."""
    [team, other] = await two_teams_of_one_number(database)
    unknown, queued = await say(database, team), await say(database, other)
    await rows(
        database,
        "update outbound_text set state = 'UNKNOWN', unknown_because = '', handed_at = now()"
        " where message_id = %(unknown)s",
        unknown=unknown,
    )
    settings = load_settings(twilio_host=twin.url)
    async with text_worker(database.pool, settings, SECRET, PACE) as worker:
        await until(database, "select max(fence) from outbound_text", 1)
        await until(database, IN_STATE, 1, state="QUEUED")
        await worker.look_up()
        await worker.recount()
    assert twin.requests == twin.lists == []
    assert await value(database, IN_STATE, state="UNKNOWN") == 1
    waits = (
        "select due_at > now() + interval '4 minutes' from outbound_text where message_id = %(q)s"
    )
    assert await value(database, waits, q=queued)
