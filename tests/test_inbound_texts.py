"""Texts from contacts: by Twilio's webhook into the conversation they belong to, once each."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from models.database import Database
from server.resources import Resources, open_resources
from services.credits import remove_credit_purchase
from services.inbound_texts import STOP_WORDS
from services.settings import Settings, load_settings
from tests.conftest import SECRET
from tests.test_message_reports import ADDRESS, accept, as_json, make_texting_team
from tests.twilio_twin import ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID, twilio_signature
from tests.world import (
    Team,
    add_messaging_service,
    books,
    changed_tables,
    holding,
    make_team,
    rows,
    state,
    until_waiting,
    value,
)


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return load_settings(
        spoke_data_dir=tmp_path,
        default_service="twilio",
        base_url=ADDRESS,
        optouts_share_all_orgs=getattr(request, "param", False),
    )


@pytest.fixture
async def resources(database_url: str, settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(settings, database_url, SECRET) as resources:
        yield resources


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_texting_team(database)


def a_form(body: str = "Yes!", sid: str = "SM1", **more: str) -> dict[str, str]:
    return {
        "MessageSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "MessagingServiceSid": SERVICE_SID,
        "From": "+12025550000",
        "To": "+12025559999",
        "Body": body,
        "NumMedia": "0",
        "NumSegments": "1",
        **more,
    }


async def come_in(
    client: httpx2.AsyncClient, form: dict[str, str], *, token: str = AUTH_TOKEN, **changes: Any
) -> httpx2.Response:
    headers = {"X-Twilio-Signature": twilio_signature(f"{ADDRESS}/twilio", form, token)}
    return await client.post("/twilio", **{"data": form, "headers": headers} | changes)


async def taken(client: httpx2.AsyncClient, form: dict[str, str]) -> None:
    answer = await come_in(client, form)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert answer.text.endswith("<Response/>")


REPLIES = """
select text, assignment_id, campaign_contact_id from message where is_from_contact order by id
"""
CONTACT = "select message_status, is_opted_out from campaign_contact where id = %(id)s"
OPT_OUTS = "select cell, organization_id, assignment_id, reason_code from opt_out order by id"


async def test_a_reply_is_saved_as_spoke_saves_it(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await accept(database, team, "Hi!")
    await taken(client, a_form("Yes! 👍", NumSegments="2"))
    [message] = await rows(
        database, "select *, service_response::jsonb as said from message where is_from_contact"
    )
    assert message.text == "Yes! 👍"
    assert (message.contact_number, message.user_number) == (team.cells[0], "+12025559999")
    assert (message.campaign_contact_id, message.assignment_id, message.user_id) == (
        team.contact_ids[0],
        team.assignment_id,
        None,
    )
    assert (message.service, message.service_id) == ("twilio", "SM1")
    assert (message.send_status, message.error_codes) == ("DELIVERED", None)
    assert (message.num_segments, message.num_media) == (2, 0)
    assert message.said[0]["Body"] == "Yes! 👍"
    [contact] = await rows(database, CONTACT, id=team.contact_ids[0])
    assert (contact.message_status, contact.is_opted_out) == ("needsResponse", False)
    assert await value(database, "select count(*) from outbound_text") == 1
    assert (await books(database, team.id)).balance == 99


async def test_a_reply_belongs_to_who_texted_last(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    """In any of the team's campaigns, archived or not, that text from this service."""
    await accept(database, team, "Hi!")
    made = [
        await another_campaign(database, team, sid, minutes, archived=archived)
        for sid, minutes, archived in (
            (None, 20, False),
            (SERVICE_SID, 10, True),
            ("MG2", 5, False),
        )
    ]
    await rows(
        database,
        "update message set created_at = now() - interval '1 day'"
        " where campaign_contact_id = %(contact)s",
        contact=team.contact_ids[0],
    )
    await taken(client, a_form())
    [reply] = await rows(database, REPLIES)
    assert reply.campaign_contact_id == made[1]
    others = {team.contact_ids[0], made[0], made[2]}
    for contact_id in others:
        assert await value(database, CONTACT, id=contact_id) != "needsResponse"


async def another_campaign(
    database: Database, team: Team, sid: str | None, minutes: int, *, archived: bool
) -> int:
    """Of the same team, in which the first contact was texted so long ago. Returns its contact."""
    if sid == "MG2":
        await add_messaging_service(database, team.id, sid, SECRET, account=("AC2", "token 2"))
    return int(
        await value(
            database,
            _ANOTHER_CAMPAIGN,
            team=team.id,
            texter=team.texter.user_id,
            cell=team.cells[0],
            sid=sid,
            archived=archived,
            minutes=minutes,
        )
    )


_ANOTHER_CAMPAIGN = """
with made as (
  insert into all_campaign (organization_id, title, is_started, is_archived, messaging_service_sid)
  values (%(team)s, 'Sunday', true, %(archived)s, %(sid)s) returning id
),
assigned as (
  insert into assignment (user_id, campaign_id) select %(texter)s, id from made returning id
),
contact as (
  insert into campaign_contact (campaign_id, assignment_id, cell, archived)
  select made.id, assigned.id, %(cell)s, %(archived)s from made, assigned
  returning id, assignment_id
)
insert into message (campaign_contact_id, assignment_id, contact_number, is_from_contact, text,
  send_status, created_at)
select id, assignment_id, %(cell)s, false, 'Hi!', 'SENT', now() - make_interval(mins => %(minutes)s)
from contact returning campaign_contact_id
"""


async def test_a_team_reads_only_what_is_written_to_it(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    other = await make_team(database)
    await accept(database, team, "Hi!")
    await accept(database, other, "Hi!", sid=None)  # later, to the same cell
    await taken(client, a_form())
    [reply] = await rows(database, REPLIES)
    assert reply.campaign_contact_id == team.contact_ids[0]


async def test_a_text_that_comes_again_is_saved_once(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await accept(database, team, "Hi!")
    await asyncio.gather(*(taken(client, a_form(sid=f"SM{n % 2}")) for n in range(16)))
    await asyncio.gather(*(taken(client, a_form(sid="SM9", From="+12025558888")) for _ in range(8)))
    assert len(await rows(database, REPLIES)) == 2
    assert await value(database, "select count(*) from unsolicited_message") == 1


async def test_a_text_that_comes_again_does_not_reopen_the_conversation(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await accept(database, team, "Hi!")
    await taken(client, a_form())
    await rows(database, "update campaign_contact set message_status = 'closed'")
    await taken(client, a_form())
    assert await value(database, CONTACT, id=team.contact_ids[0]) == "closed"


WRITTEN = ["STOP", " Stop ", "stop.", "“Stop!”", "Stop  all", "Opt-Out\n", "STOP=QUIT"]


@pytest.mark.parametrize("body", [*sorted(STOP_WORDS), *WRITTEN])
async def test_a_stop_word_opts_out(
    client: httpx2.AsyncClient, database: Database, team: Team, body: str
) -> None:
    await accept(database, team, "Hi!")
    await taken(client, a_form(body))
    assert [tuple(row) for row in await rows(database, OPT_OUTS)] == [
        (team.cells[0], team.id, team.assignment_id, "Automatic OptOut")
    ]
    [contact] = await rows(database, CONTACT, id=team.contact_ids[0])
    assert (contact.message_status, contact.is_opted_out) == ("closed", True)
    assert [row.text for row in await rows(database, REPLIES)] == [body]
    assert (await books(database, team.id)).balance == 99


@pytest.mark.parametrize("body", ["Please stop", "stop it", "Stoppard", "end.of", "", "🛑", "no"])
async def test_other_texts_opt_nobody_out(
    client: httpx2.AsyncClient, database: Database, team: Team, body: str
) -> None:
    await accept(database, team, "Hi!")
    await taken(client, a_form(body))
    assert await rows(database, OPT_OUTS) == []
    assert await value(database, CONTACT, id=team.contact_ids[0]) == "needsResponse"


async def test_what_twilio_takes_for_a_stop_word_is_one(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    """Its customers can choose them."""
    await accept(database, team, "Hi!")
    await taken(client, a_form("¡Basta!", OptOutType="STOP"))
    assert len(await rows(database, OPT_OUTS)) == 1
    await taken(client, a_form("Start", "SM2", OptOutType="START"))
    assert len(await rows(database, OPT_OUTS)) == 1


@pytest.mark.parametrize("settings", [False, True], indirect=True)
async def test_an_opt_out_counts_in_the_whole_team_or_in_all(
    client: httpx2.AsyncClient, database: Database, team: Team, settings: Settings
) -> None:
    other = await make_team(database)
    elsewhere = await another_campaign(database, team, None, 5000, archived=True)
    await accept(database, team, "Hi!")
    await taken(client, a_form("stop"))
    opted_out = await rows(database, "select id from campaign_contact where is_opted_out")
    expected = {team.contact_ids[0], elsewhere}
    if settings.optouts_share_all_orgs:
        expected.add(other.contact_ids[0])
    assert {row.id for row in opted_out} == expected
    assert len(await rows(database, OPT_OUTS)) == 1
    assert await value(database, CONTACT, id=elsewhere) == "needsMessage"


async def test_opting_out_works_at_any_balance_and_twice(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await accept(database, team, "Hi!")
    purchase_id = await value(database, "select id from credit_purchase")
    async with database.sessions.begin() as session:
        await remove_credit_purchase(session, team.superadmin, purchase_id=purchase_id)
    await taken(client, a_form("stop"))
    await taken(client, a_form("stop", "SM2"))
    assert len(await rows(database, OPT_OUTS)) == 1
    assert len(await rows(database, REPLIES)) == 2
    assert (await books(database, team.id)).balance == -1


async def test_strangers_are_kept_apart(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    before = await state(database)
    media = {"NumMedia": "1", "MediaUrl0": "https://a.b/c", "NumSegments": ""}
    await taken(client, a_form("Who are you?", **media))
    [row] = await rows(database, "select * from unsolicited_message")
    assert (row.messaging_service_sid, row.service_id) == (SERVICE_SID, "SM1")
    assert (row.from_number, row.body) == ("+12025550000", "Who are you?")
    assert (row.num_segments, row.num_media, row.media_urls) == (1, 1, ["https://a.b/c"])
    assert row.service_response["To"] == "+12025559999"
    assert changed_tables(before, await state(database)) == set()


async def test_strangers_can_opt_out_too(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    """A contact that nobody has texted yet is one, and so is who comes later."""
    await taken(client, a_form("STOP"))
    assert [tuple(row) for row in await rows(database, OPT_OUTS)] == [
        (team.cells[0], team.id, None, "Automatic OptOut")
    ]
    [contact] = await rows(database, CONTACT, id=team.contact_ids[0])
    assert (contact.message_status, contact.is_opted_out) == ("needsMessage", True)


async def test_a_service_of_no_team_has_only_strangers(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await rows(database, "update messaging_service set organization_id = null")
    await accept(database, team, "Hi!")
    await taken(client, a_form("STOP"))
    assert await rows(database, OPT_OUTS) == []
    assert await value(database, "select count(*) from unsolicited_message") == 1


@pytest.mark.parametrize(
    ("body", "count", "text"),
    [
        ("Look!", 2, "Look!\n\n(2 attachments, not shown here)"),
        ("", 1, "(1 attachment, not shown here)"),
        ("Stop", 1, "Stop\n\n(1 attachment, not shown here)"),
    ],
)
async def test_attachments_are_mentioned(
    client: httpx2.AsyncClient, database: Database, team: Team, body: str, count: int, text: str
) -> None:
    await accept(database, team, "Hi!")
    urls = {f"MediaUrl{number}": f"https://a.b/{number}" for number in range(count)}
    await taken(client, a_form(body, NumMedia=str(count), **urls))
    [message] = await rows(database, "select * from message where is_from_contact")
    assert (message.text, message.num_media) == (text, count)
    assert "https://a.b/0" in message.service_response
    assert len(await rows(database, OPT_OUTS)) == (body == "Stop")


async def test_what_postgresql_can_not_store_is_left_out(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await accept(database, team, "Hi!")
    await taken(client, a_form("N\0ice", FromCity="\0"))
    await taken(client, a_form("W\0ho?", "SM2", From="+12025558888"))
    assert [row.text for row in await rows(database, REPLIES)] == ["Nice"]
    assert await value(database, "select body from unsolicited_message") == "Who?"
    assert await value(
        database, "select service_response::jsonb from message where is_from_contact"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token": "forged"}, (403, "FORBIDDEN")),
        ({"headers": {}}, (403, "FORBIDDEN")),
        ({"data": a_form("Yes.")}, (403, "FORBIDDEN")),
        ({"data": a_form(MessagingServiceSid="MG9")}, (403, "FORBIDDEN")),
        ({"data": a_form(MessagingServiceSid="")}, (400, "BAD_USER_INPUT")),
        ({"data": a_form(From="")}, (400, "BAD_USER_INPUT")),
        ({"data": a_form(sid="")}, (400, "BAD_USER_INPUT")),
        ({"data": None, "content": b"\xff"}, (400, "BAD_REQUEST")),
        ({"data": None, "content": b"a" * 300_000}, (413, "PAYLOAD_TOO_LARGE")),
    ],
)
async def test_what_twilio_did_not_sign_changes_nothing(
    client: httpx2.AsyncClient,
    database: Database,
    team: Team,
    changes: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    await accept(database, team, "Hi!")
    before = await state(database)
    assert as_json(await come_in(client, a_form(), **changes)) == expected
    assert changed_tables(before, await state(database)) == set()
    assert await value(database, "select count(*) from unsolicited_message") == 0


async def test_another_teams_account_can_not_write_to_this_one(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    other = await make_team(database)
    await add_messaging_service(database, other.id, "MG2", SECRET, account=("AC2", "token 2"))
    assert (await come_in(client, a_form(), token="token 2")).status_code == 403


async def test_a_held_contact_is_waited_for(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await accept(database, team, "Hi!")
    lock = "select from campaign_contact where id = %(id)s for update"
    async with holding(database, lock, id=team.contact_ids[0]):
        coming = asyncio.create_task(come_in(client, a_form("stop")))
        await until_waiting(database, 1)
    assert (await coming).status_code == 200
    assert len(await rows(database, OPT_OUTS)) == 1


async def test_many_stop_at_once(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    """Of one cell in two campaigns, and of others."""
    await another_campaign(database, team, None, 1, archived=False)
    await accept(database, team, *["Hi!"] * 10)
    await asyncio.gather(
        *(
            taken(client, a_form("stop", f"SM{number}", From=team.cells[number % 10]))
            for number in range(30)
        )
    )
    assert len(await rows(database, OPT_OUTS)) == 10
    assert len(await rows(database, REPLIES)) == 30


async def test_finding_the_conversation_reads_no_other(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    await accept(database, team, *["Hi!"] * 30)
    await rows(database, _OTHERS)
    await rows(database, "vacuum analyze")
    before = await messages_read(database)
    for number in range(3):
        await taken(client, a_form("Yes", f"SM{number}"))
    assert await messages_read(database) - before < 20


async def messages_read(database: Database) -> int:
    await rows(database, "select pg_stat_force_next_flush()")
    return int(
        await value(
            database,
            "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables"
            " where relname = 'message'",
        )
    )


_OTHERS = """
insert into message (campaign_contact_id, assignment_id, contact_number, is_from_contact, text,
  send_status)
select c.id, c.assignment_id, c.cell, false, 'Hi!', 'SENT'
from campaign_contact c, generate_series(1, 1000)
where c.id <> (select min(id) from campaign_contact)
"""
