"""Segments and ends that no report tells come from Twilio's list, once, whoever asks how often."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.database import Database
from server.text_worker import TextWorker, text_worker
from services.providers import DeliveryStatus, LookUpFailed, Report
from services.recounts import Account, claim_account, finish_account, news_of
from services.settings import load_settings
from services.twilio import open_twilio
from tests.conftest import SECRET
from tests.servers import free_port
from tests.test_message_reports import accept, make_texting_team
from tests.test_text_worker import QUICK, until
from tests.test_twilio import SERVICE, settings_for
from tests.twilio_twin import ACCOUNT_SID, AUTH_TOKEN, Text, twilio_twin
from tests.world import Team, add_messaging_service, books, holding, make_team, rows, value

DONE = "select count(*) from outbound_text where state <> 'DONE'"
SETTLED = "select kind, amount from credit_entry where kind <> 'PURCHASE' order by id"


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_texting_team(database)


def words(*chosen: str) -> list[str]:
    """Texts of three segments that tell the twin what to do."""
    return [f"twin:{word} ".ljust(3 * 153, "x") for word in chosen]


async def recount(database: Database, worker: TextWorker) -> None:
    await rows(database, "update provider_recount set due_at = now()")
    while await worker.recount():
        pass


async def test_segments_are_settled_though_no_report_tells_them(
    database: Database, team: Team
) -> None:
    with twilio_twin() as twin:
        settings = settings_for(twin.url)
        async with text_worker(database.pool, settings, SECRET, QUICK) as worker:
            await accept(database, team, *words("fewer", "more", "delivered", "queued"), cost=3)
            await until(database, DONE, 0)
            await twin.settled()
            assert (await books(database, team.id)).balance == 100 - 12
            for _ in range(3):
                await recount(database, worker)
        assert (await books(database, team.id)).balance == 100 - (2 + 4 + 3 + 3)
        assert await value(database, "select array_agg(num_segments order by id) from message") == [
            2,
            4,
            3,
            3,
        ]
        assert [tuple(row) for row in await rows(database, SETTLED)][4:] == [
            ("SETTLEMENT", 1),
            ("SETTLEMENT", -1),
        ]


async def test_ends_that_were_reported_to_nobody_are_found(database: Database, team: Team) -> None:
    """The server was away for longer than Twilio tries."""
    with twilio_twin() as twin:
        settings = load_settings(
            default_service="twilio",
            twilio_host=twin.url,
            base_url=f"http://127.0.0.1:{free_port()}",
        )
        async with text_worker(database.pool, settings, SECRET, QUICK) as worker:
            await accept(database, team, *words("delivered", "undelivered", "failed"), cost=3)
            await until(database, DONE, 0)
            await twin.settled()
            assert {callback.answer for callback in twin.callbacks} == {0}
            assert await value(database, "select array_agg(distinct send_status) from message") == [
                "SENT"
            ]
            await recount(database, worker)
    found = await rows(database, "select send_status, error_codes from message order by id")
    assert [tuple(row) for row in found] == [
        ("DELIVERED", None),
        ("ERROR", ["30003"]),
        ("ERROR", ["30007"]),
    ]
    assert (await books(database, team.id)).balance == 100 - 6


async def test_only_what_is_missing_is_asked_to_be_written(database: Database, team: Team) -> None:
    media = "[https://a.b/c.jpg]"
    ids = await accept(database, team, "sent", "counted", "uncounted", media, "failed", "waiting")
    states = ["SENT", "DELIVERED", "DELIVERED", "DELIVERED", "FAILED", None]
    for message_id, status in zip(ids, states, strict=True):
        await rows(
            database,
            "update outbound_text set reported = %(status)s where message_id = %(id)s",
            status=status,
            id=message_id,
        )
        await rows(
            database,
            "update message set service_id = 'SM' || id,"
            " num_media = (text like '[%%')::int where id = %(id)s",
            id=message_id,
        )
    await rows(
        database,
        "update outbound_text set reported_segments = 1 where message_id = %(id)s",
        id=ids[1],
    )
    listed = [
        Report(0, DeliveryStatus.DELIVERED, service_id, segments=1)
        for service_id in ("strange", "", *(f"SM{message_id}" for message_id in ids))
    ]
    async with database.pool.connection() as connection:
        news = await news_of(connection, listed)
    assert [(one.message_id, one.service_id) for one in news] == [
        (ids[0], f"SM{ids[0]}"),
        (ids[2], f"SM{ids[2]}"),
    ]


async def claim(database: Database, **details: Any) -> list[Account]:
    """All that are due."""
    claimed = []
    async with database.pool.connection() as connection:
        while account := await claim_account(connection, **details):
            claimed.append(account)
    return claimed


async def test_each_account_is_one_workers_for_a_while(database: Database, team: Team) -> None:
    details: list[tuple[str, tuple[str, str], str]] = [
        ("MG2", (ACCOUNT_SID, AUTH_TOKEN), "twilio"),  # of the same account
        ("MG3", ("AC8", "token 8"), "twilio"),
        ("MG4", ("", ""), "twilio"),
        ("https://assemble.example", ("AC5", "token 5"), "assemble-numbers"),
    ]
    for sid, account, kind in details:
        await add_messaging_service(database, team.id, sid, SECRET, account=account, kind=kind)
    first = await claim(database)
    assert [account.account_sid for account in first] == [ACCOUNT_SID, "AC8"]
    assert await claim(database) == []
    until = datetime.now(UTC)
    async with database.pool.connection() as connection:
        await finish_account(connection, first[0], until=until, pause=timedelta())
    [again] = await claim(database)
    assert (again.account_sid, again.counted_until) == (ACCOUNT_SID, until)
    assert again.since == until - timedelta(minutes=15)
    # A worker that vanished leaves its accounts to others, with nothing left out.
    await rows(database, "update provider_recount set due_at = now()")
    assert [account.counted_until for account in await claim(database)] == [
        until,
        first[1].counted_until,
    ]


async def test_without_services_there_is_nothing_to_recount(database: Database) -> None:
    await make_team(database)
    assert await claim(database) == []


async def test_trouble_leaves_the_account_where_it_was(database: Database, team: Team) -> None:
    with twilio_twin() as twin:
        async with text_worker(database.pool, settings_for(twin.url), SECRET, QUICK) as worker:
            await worker.recount()
            before = await value(database, "select counted_until from provider_recount")
            for trouble in (500, 401, 429):
                twin.list_status = trouble
                await recount(database, worker)
            assert await value(database, "select counted_until from provider_recount") == before
            twin.list_status = 200
            await recount(database, worker)
            assert await value(database, "select counted_until from provider_recount") > before


async def test_an_account_that_fails_keeps_no_other_from_being_counted(
    database: Database, team: Team
) -> None:
    """However it fails: this one lists what no database can hold."""
    await add_messaging_service(database, team.id, "MG0", SECRET, account=("AC0", "token"))
    with twilio_twin() as twin:
        twin.accounts["AC0"] = "token"
        async with text_worker(database.pool, settings_for(twin.url), SECRET, QUICK) as worker:
            await recount(database, worker)
            before = await counted(database)
            broken = replace(a_text(0, datetime.now(UTC)), sid="\0", account_sid="AC0")
            twin.accepted.append(broken)
            await recount(database, worker)
            after = await counted(database)
    assert after["AC0"] == before["AC0"]
    assert after[ACCOUNT_SID] > before[ACCOUNT_SID]


async def test_an_account_is_counted_again_while_somebody_holds_a_team(
    database: Database, team: Team
) -> None:
    """What the team's texts were counted as is not lost, and all others' is written."""
    with twilio_twin() as twin:
        async with text_worker(database.pool, settings_for(twin.url), SECRET, QUICK) as worker:
            await recount(database, worker)
            before = await counted(database)
            await accept(database, team, *words("fewer"), cost=3)
            await until(database, DONE, 0)
            await twin.settled()
            account = "select from credit_account where team_id = %(team)s for update"
            async with holding(database, account, team=team.id):
                await recount(database, worker)
            assert await counted(database) == before
            await recount(database, worker)
            assert await counted(database) != before
    assert (await books(database, team.id)).balance == 100 - 2


async def counted(database: Database) -> dict[str, datetime]:
    found = await rows(database, "select account_sid, counted_until from provider_recount")
    return {row.account_sid: row.counted_until for row in found}


async def test_lists_are_read_until_they_are_too_old() -> None:
    now = datetime(2026, 10, 18, 12, tzinfo=UTC)  # of days before nothing is listed
    with twilio_twin() as twin:
        twin.page_size = 3
        async with open_twilio(settings_for(twin.url), SECRET) as twilio:
            for number in range(20):  # the newest last
                twin.accepted.append(a_text(number, now - timedelta(minutes=20 - number)))
            since = now - timedelta(minutes=10, seconds=30)
            found = [page async for page in twilio.sent_since(SERVICE, since)]
            sids = [report.service_id for page in found for report in page]
            assert sids[:10] == [f"SM{number}" for number in range(19, 9, -1)]
            assert len(twin.lists) == 5  # the last of them is too old altogether
            assert twin.lists[0]["DateSent>"] == f"{since:%Y-%m-%d}"
            assert all(report.message_id == 0 for page in found for report in page)


def a_text(number: int, at: datetime) -> Text:
    form = {"To": f"+1202555{number:04}", "Body": "Hi!", "MessagingServiceSid": SERVICE.sid}
    return Text(f"SM{number}", ACCOUNT_SID, form, 1, at, status="delivered", sent_at=at)


async def test_texts_that_came_in_are_not_listed() -> None:
    now = datetime.now(UTC)
    with twilio_twin() as twin:
        async with open_twilio(settings_for(twin.url), SECRET) as twilio:
            twin.accepted.append(a_text(1, now))
            twin.accepted[0].direction = "inbound"
            [page] = [page async for page in twilio.sent_since(SERVICE, now)]
            assert page == []


async def test_an_account_that_can_not_be_entered_fails(database_url: str) -> None:
    with twilio_twin() as twin:
        twin.accounts[ACCOUNT_SID] = "another token"
        async with open_twilio(settings_for(twin.url), SECRET) as twilio:
            with pytest.raises(LookUpFailed):
                [page async for page in twilio.sent_since(SERVICE, datetime.now(UTC))]
