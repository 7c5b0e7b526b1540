"""Mail about credits: who gets it, how often, what it says, and what happens when it can't go out.

Everything but the wording goes through real workers and the real SendGrid client, to a twin.
"""

import asyncio
import itertools
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Update, func, select, text, update
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from models.credits import CreditExhaustion
from models.database import Database
from models.notices import CreditNotice
from models.users import Membership, User
from server.worker import MOST_ATTEMPTS
from services.mail import Mail, compose, deliver
from services.notice_events import signed_notice_id
from services.notices import (
    Delivery,
    Notice,
    NoticeState,
    claim_notice,
    find_stranded,
    record_delivery,
)
from services.occasions import Event, Occasion, make_notices
from services.settings import CreditsVisibleTo, Settings
from tests.conftest import SECRET
from tests.mailing import (
    ADMIN,
    KEY,
    OWNER,
    PACE,
    SUPERADMIN,
    TOLD,
    Team,
    add,
    both,
    exhaust,
    mail_settings,
    make_team,
    no_more_mail,
    notices,
    send,
    states,
    switch,
    until,
    until_settled,
    worker_process,
    workers,
)
from tests.sendgrid_twin import (
    BAD_REQUEST,
    BREAKS,
    HANGS,
    SERVER_ERROR,
    Answer,
    SendGridTwin,
    sendgrid_twin,
    too_many,
)
from tests.servers import ended


@pytest.fixture
def twin() -> Iterator[SendGridTwin]:
    with sendgrid_twin() as twin:
        yield twin


@pytest.fixture
def settings(tmp_path: Path, twin: SendGridTwin) -> Settings:
    return mail_settings(tmp_path, twin)


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_team(database)


# Who, and how often


async def test_64_refused_sends_at_once_bring_one_mail_to_each_person(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    async with workers(settings, database_url, count=2):
        sends = [send(database, settings, team, contact=number) for number in range(64)]
        assert not any(await asyncio.gather(*sends))
        await until_settled(database)
        await no_more_mail(twin)
    assert Counter(address for mail in twin.received for address in mail.to) == dict.fromkeys(
        TOLD, 1
    )


async def test_each_notice_is_made_once_when_many_workers_race(
    database: Database, settings: Settings, team: Team
) -> None:
    async with database.sessions.begin() as session:
        await session.execute(
            text(
                "with team as ("
                "  insert into organization (name)"
                "  select 'team ' || n from generate_series(1, 20) n returning id)"
                " insert into credit_exhaustion (team_id, reason, remaining)"
                " select id, 'EXHAUSTED', 0 from team"
            )
        )

    async def make() -> list[int]:
        async with database.sessions.begin() as session:
            return await make_notices(session, settings)

    made = await asyncio.gather(*(make() for _ in range(8)))
    assert sum(len(ids) for ids in made) == 20
    assert await make() == []


async def test_what_another_worker_has_in_hand_is_passed_over(
    database: Database, settings: Settings, team: Team
) -> None:
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session, database.sessions.begin() as another:
        assert len(await make_notices(session, settings)) == 3
        async with asyncio.timeout(2):
            assert await make_notices(another, settings) == []


async def test_suspended_people_get_no_mail(
    database: Database, settings: Settings, team: Team
) -> None:
    """Not even superadmins, where the team has suspended them."""
    async with database.sessions.begin() as session:
        await session.execute(update(User).values(is_superadmin=True))
        await session.execute(update(Membership).values(role="SUSPENDED"))
        session.add(CreditExhaustion(team_id=team.id, reason="EXHAUSTED", remaining=0))
        await session.flush()
        assert await make_notices(session, settings) == []


SUSPENDED = {
    "everywhere": update(User).values(is_suspended=True),
    "in the team": update(Membership).values(role="SUSPENDED"),
}


@pytest.mark.parametrize("suspend", SUSPENDED.values(), ids=SUSPENDED)
async def test_who_is_suspended_while_the_mail_waits_gets_none(
    database: Database, settings: Settings, team: Team, suspend: Update
) -> None:
    """Not even a superadmin, whose mail has figures."""
    async with database.sessions.begin() as session:
        session.add(
            Membership(user_id=team.superadmin.user_id, organization_id=team.id, role="OWNER")
        )
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        waiting = await make_notices(session, settings)
        await session.execute(suspend)
    async with database.sessions.begin() as session:
        claims = [await claim_notice(session, settings, notice_id) for notice_id in waiting]
    assert claims == [None, None, None]
    rows = await notices(database)
    assert {(row.state, row.attempts) for row in rows.values()} == {("OBSOLETE", 0)}


async def test_who_has_no_such_role_any_more_when_the_mail_would_leave_gets_none(
    database: Database, settings: Settings, team: Team
) -> None:
    """An owner has become a texter, a superadmin nobody in particular; an admin stays one."""
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        waiting = await make_notices(session, settings)
        await session.execute(update(User).values(is_superadmin=False))
        owner = update(Membership).where(Membership.role == "OWNER")
        await session.execute(owner.values(role="TEXTER"))
    async with database.sessions.begin() as session:
        claims = [await claim_notice(session, settings, notice_id) for notice_id in waiting]
    assert [claim.address for claim in claims if claim] == [ADMIN]
    expected = {SUPERADMIN: "OBSOLETE", OWNER: "OBSOLETE", ADMIN: "SENDING"}
    assert await states(database) == expected


async def test_set_up_mail_is_for_superadmins_and_support_when_it_leaves_too(
    database: Database, settings: Settings, team: Team
) -> None:
    settings = settings.model_copy(update={"support_email": "help@example.org"})
    await switch(database, team, enabled=False)
    await switch(database, team, enabled=True)
    async with database.sessions.begin() as session:
        waiting = await make_notices(session, settings)
        await session.execute(update(User).values(is_superadmin=False))
        session.add(
            Membership(user_id=team.superadmin.user_id, organization_id=team.id, role="OWNER")
        )
    async with database.sessions.begin() as session:
        claims = [await claim_notice(session, settings, notice_id) for notice_id in waiting]
    assert [claim.address for claim in claims if claim] == ["help@example.org"]
    assert (await states(database))[SUPERADMIN] == "OBSOLETE"


async def test_who_joins_later_is_not_told_of_what_was_before(
    database: Database, settings: Settings, team: Team
) -> None:
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        assert len(await make_notices(session, settings)) == 3
    async with database.sessions.begin() as session:
        await session.execute(update(Membership).values(role="ADMIN"))
        assert await make_notices(session, settings) == []


async def test_mail_of_one_person_is_unseen_by_the_others(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    await exhaust(database, settings, team)
    async with workers(settings, database_url):
        await until_settled(database)
    rows = await notices(database)
    for mail in twin.received:
        [address] = mail.to
        [personalization] = mail.body["personalizations"]
        signed = signed_notice_id(rows[address].id, SECRET)
        assert personalization["custom_args"] == {"credit_notice": signed}
        assert all(other not in str(mail.body) for other in TOLD - {address})
        assert mail.path == "/v3/mail/send"
        assert mail.headers["Authorization"] == f"Bearer {KEY}"
        assert mail.body["from"]["email"] == settings.mail_from
    assert {row.provider_message_id for row in rows.values()} == {"twin-1", "twin-2", "twin-3"}
    assert all(row.sent_at and row.attempts == 1 and not row.error for row in rows.values())


async def test_a_second_exhaustion_after_a_refill_brings_mail_again(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    async with workers(settings, database_url):
        await exhaust(database, settings, team)
        await until_settled(database)
        await add(database, settings, team, 1)
        await no_more_mail(twin)
        assert await send(database, settings, team)
        await until(lambda: len(twin.received) == 6)
        assert not await send(database, settings, team, contact=1)
        await no_more_mail(twin)
    assert [len(twin.received_by(address)) for address in TOLD] == [2, 2, 2]


async def test_turning_on_with_nothing_left_brings_set_up_mail_once_a_day(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    settings = settings.model_copy(update={"support_email": "Help@Example.org"})
    async with workers(settings, database_url):
        for enabled in (False, True, False, True):
            await switch(database, team, enabled=enabled)
            await asyncio.sleep(0.1)
        await until(lambda: len(twin.received) == 2)
        await no_more_mail(twin)
    assert sorted(mail.to for mail in twin.received) == [["help@example.org"], [SUPERADMIN]]
    assert {mail.body["subject"] for mail in twin.received} == {
        "North Valley Field turned on credits: add credits to complete the set-up"
    }
    async with database.sessions.begin() as session:
        await session.execute(
            update(CreditNotice).values(created_at=func.now() - text("interval '1 day'"))
        )
    async with workers(settings, database_url):
        await switch(database, team, enabled=False)
        await switch(database, team, enabled=True)
        await until(lambda: len(twin.received) == 4)


async def test_turning_on_with_credits_left_brings_no_mail(
    database: Database, settings: Settings, team: Team
) -> None:
    await switch(database, team, enabled=False)
    await add(database, settings, team, 1)
    await switch(database, team, enabled=True)
    async with database.sessions.begin() as session:
        assert await make_notices(session, settings) == []


async def test_the_support_address_of_a_superadmin_gets_one_set_up_mail(
    database: Database, settings: Settings, team: Team
) -> None:
    settings = settings.model_copy(update={"support_email": SUPERADMIN.upper()})
    await switch(database, team, enabled=False)
    await switch(database, team, enabled=True)
    async with database.sessions.begin() as session:
        assert len(await make_notices(session, settings)) == 1
    assert (await notices(database))[SUPERADMIN].user_id == team.superadmin.user_id


async def test_addresses_are_kept_in_lower_case(
    database: Database, settings: Settings, team: Team
) -> None:
    async with database.sessions.begin() as session:
        await session.execute(update(User).where(User.email == OWNER).values(email=OWNER.title()))
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        await make_notices(session, settings)
    assert set(await notices(database)) == TOLD


async def test_a_notice_is_claimed_once(database: Database, settings: Settings, team: Team) -> None:
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        [notice_id, *_] = await make_notices(session, settings)

    async def claim() -> Notice | None:
        async with database.sessions.begin() as session:
            return await claim_notice(session, settings, notice_id)

    claims = await asyncio.gather(*(claim() for _ in range(8)))
    assert sum(claim is not None for claim in claims) == 1


async def test_an_attempt_that_is_recorded_again_does_not_touch_the_next_one(
    database: Database, settings: Settings, team: Team
) -> None:
    """Its commit succeeded, but the answer to that was lost. Else there would be a third attempt
    beside the second."""
    await exhaust(database, settings, team)
    again = Delivery(NoticeState.QUEUED, error="500")
    async with database.sessions.begin() as session:
        [notice_id, *_] = await make_notices(session, settings)
        first = await claim_notice(session, settings, notice_id)
        assert first and await record_delivery(session, first, again)
        assert not await record_delivery(session, first, again)
        second = await claim_notice(session, settings, notice_id)
        assert not await record_delivery(session, first, again)
        assert second and await record_delivery(session, second, Delivery(NoticeState.SENT))


# What goes wrong


async def test_too_many_requests_waits_for_the_reset_and_sends_once(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    answer = too_many(reset_in_seconds=2)
    twin.will_answer(OWNER, answer)
    await exhaust(database, settings, team)
    async with workers(settings, database_url):
        await until(lambda: len(twin.received_by(OWNER)) == 2)
        assert time.time() >= int(answer.headers["X-RateLimit-Reset"])
        await until_settled(database)
        await no_more_mail(twin)
    assert (await notices(database))[OWNER].attempts == 2
    assert len(twin.received) == 4


async def test_server_errors_are_tried_again_with_growing_pauses_until_accepted(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    twin.will_answer(ADMIN, SERVER_ERROR, SERVER_ERROR, SERVER_ERROR)
    await exhaust(database, settings, team)
    pace = replace(PACE, first_retry=0.05)
    async with workers(settings, database_url, count=2, pace=pace):
        await until_settled(database)
        await no_more_mail(twin)
    times = [mail.at for mail in twin.received_by(ADMIN)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 3
    assert [p >= least for p, least in zip(pauses, (0.05, 0.15, 0.45), strict=True)] == [True] * 3
    assert (await notices(database))[ADMIN].error is None


async def test_a_mail_that_never_gets_through_is_given_up(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    twin.will_answer(ADMIN, *[SERVER_ERROR] * 20)
    await exhaust(database, settings, team)
    async with workers(settings, database_url, pace=replace(PACE, first_retry=0.0001)):
        await until_settled(database, {ADMIN: "FAILED"})
        await no_more_mail(twin)
    assert len(twin.received_by(ADMIN)) == MOST_ATTEMPTS
    assert "internal error" in str((await notices(database))[ADMIN].error)


async def test_a_mail_that_is_refused_fails_at_once_and_says_why(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    twin.will_answer(OWNER, BAD_REQUEST)
    await exhaust(database, settings, team)
    async with workers(settings, database_url):
        await until_settled(database, {OWNER: "FAILED"})
        await no_more_mail(twin)
    row = (await notices(database))[OWNER]
    assert row.error is not None and row.error.startswith("400: ")
    assert "Does not contain a valid address." in row.error
    assert (row.attempts, row.sent_at) == (1, None)


async def test_a_mail_that_cannot_be_composed_fails_and_says_why(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    """It certainly was not sent."""
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        await make_notices(session, settings)
    broken = settings.model_copy(update={"support_email": 5})
    with capture_logs() as logged:
        async with workers(broken, database_url):
            await until_settled(database, dict.fromkeys(TOLD, "FAILED"))
    assert {row.attempts for row in (await notices(database)).values()} == {1}
    errors = {row.error for row in (await notices(database)).values()}
    assert errors == {"AttributeError: 'int' object has no attribute 'lower'"}
    traces = [entry for entry in logged if entry["event"] == "mail_not_composed"]
    assert len(traces) == 3 and all(entry["exc_info"] for entry in traces)
    assert not twin.received


@pytest.mark.parametrize("answer", [HANGS, BREAKS], ids=["no answer", "broken connection"])
async def test_a_mail_that_may_have_gone_out_is_unknown_and_not_sent_again(
    database: Database,
    database_url: str,
    settings: Settings,
    team: Team,
    twin: SendGridTwin,
    answer: Answer,
) -> None:
    twin.will_answer(OWNER, answer)
    await exhaust(database, settings, team)
    async with workers(settings, database_url):
        await until_settled(database, {OWNER: "UNKNOWN"})
        await no_more_mail(twin)
    assert len(twin.received_by(OWNER)) == 1
    assert (await notices(database))[OWNER].error


@pytest.fixture
def full_address() -> Iterator[str]:
    """Where connecting takes forever: nobody accepts, and the queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        callers = []
        for _ in range(4):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
            callers.append(caller)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for caller in callers:
            caller.close()


A_MAIL = Mail(1, "1.signed", Occasion.EXHAUSTED, OWNER, "Subject", "Text", "<p>Text</p>")


async def test_a_host_that_cannot_be_reached_is_tried_again(
    settings: Settings, full_address: str
) -> None:
    """The request can't have left: refused, unknown, or silent before it was connected."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for host in (refusing, "http://host.invalid", full_address, f"https{refusing[4:]}"):
        nowhere = settings.model_copy(update={"sendgrid_host": host})
        delivery = await deliver(nowhere, A_MAIL, timeout_seconds=0.2)
        assert delivery.state is NoticeState.QUEUED, (host, delivery)


async def test_the_time_out_is_the_one_given(settings: Settings, twin: SendGridTwin) -> None:
    twin.will_answer(OWNER, HANGS)
    started = time.monotonic()
    delivery = await deliver(settings, A_MAIL, timeout_seconds=0.3)
    assert delivery.state is NoticeState.UNKNOWN
    assert 0.3 <= time.monotonic() - started < 5


async def test_a_rate_limit_is_not_believed_to_last_for_days(
    settings: Settings, twin: SendGridTwin
) -> None:
    twin.will_answer(OWNER, too_many(reset_in_seconds=10**6), Answer(429))
    far = await deliver(settings, A_MAIL)
    assert far.retry_at is not None
    assert (far.retry_at - datetime.now(UTC)).total_seconds() < 3601
    unsaid = await deliver(settings, A_MAIL)
    assert (unsaid.state, unsaid.retry_at) == (NoticeState.QUEUED, None)


async def test_an_answer_of_success_that_is_not_202_says_nothing(
    settings: Settings, twin: SendGridTwin
) -> None:
    twin.will_answer(OWNER, Answer(200))
    assert (await deliver(settings, A_MAIL)).state is NoticeState.UNKNOWN


async def test_a_dead_provider_never_delays_a_send(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    for address in TOLD:
        twin.will_answer(address, HANGS)
    await exhaust(database, settings, team)
    async with workers(settings, database_url, pace=replace(PACE, answer=10)):
        await until(lambda: len(twin.received) == 3)
        await add(database, settings, team, 20)
        started = time.monotonic()
        for number in range(20):
            assert await send(database, settings, team, contact=number)
        assert not await send(database, settings, team, contact=20)
        assert time.monotonic() - started < 5
        assert set((await states(database)).values()) == {"SENDING"}
        twin.let_go()


async def test_the_api_key_is_neither_logged_nor_kept(
    database: Database,
    database_url: str,
    settings: Settings,
    team: Team,
    twin: SendGridTwin,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    echo = b'{"errors":[{"message":"no such key: Bearer ' + KEY.encode() + b'"}]}'
    twin.will_answer(OWNER, Answer(401, body=echo))
    twin.will_answer(ADMIN, HANGS)
    twin.will_answer(SUPERADMIN, Answer(503, body=echo))
    await exhaust(database, settings, team)
    async with workers(settings, database_url):
        await until_settled(database, {OWNER: "FAILED", ADMIN: "UNKNOWN"})
    async with database.sessions() as session:
        rows = await session.scalars(text("select row_to_json(n)::text from credit_notice n"))
        kept = "\n".join(rows)
    assert "no such key: Bearer [key]" in kept
    logged = caplog.text + "".join(capfd.readouterr())
    assert "mail" in logged
    assert KEY not in kept and KEY not in logged


# Workers that die, stop, or lose the database


@pytest.mark.long
async def test_what_a_killed_worker_had_in_hand_is_unknown_and_not_sent_again(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    twin.will_answer(OWNER, HANGS)
    await exhaust(database, settings, team)

    async def only_one_hangs() -> bool:
        return Counter((await states(database)).values()) == {"SENT": 2, "SENDING": 1}

    with worker_process(settings, database_url):
        await until(only_one_hangs)
    pace = replace(PACE, given_up_for_dead=1)
    async with workers(settings, database_url, count=2, pace=pace):
        await until_settled(database, {OWNER: "UNKNOWN"})
        await no_more_mail(twin)
    assert Counter(address for mail in twin.received for address in mail.to) == dict.fromkeys(
        TOLD, 1
    )


@pytest.mark.long
async def test_a_terminated_worker_waits_for_the_mail_in_flight(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    for address in TOLD:
        twin.will_answer(address, Answer(delay_seconds=0.5))
    await exhaust(database, settings, team)
    with worker_process(settings, database_url) as worker:
        await until(lambda: len(twin.received) == 3)
        worker.terminate()
        assert await asyncio.to_thread(ended, worker) == 0
    await until_settled(database)


async def test_a_worker_that_is_stopped_does_not_wait_for_long(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    twin.will_answer(OWNER, HANGS)
    await exhaust(database, settings, team)
    async with workers(settings, database_url, pace=replace(PACE, answer=10, stop=0.3)):
        await until(lambda: len(twin.received) == 3)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 5
    twin.let_go()
    async with workers(settings, database_url):
        await until_settled(database, {OWNER: "UNKNOWN"})
    assert len(twin.received_by(OWNER)) == 1


async def test_a_queued_notice_whose_job_was_lost_gets_another(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        assert len(await make_notices(session, settings)) == 3
    async with workers(settings, database_url, count=2):
        await until_settled(database)
        await no_more_mail(twin)
    assert len(twin.received) == 3


async def test_what_somebody_else_has_locked_is_left_for_the_next_look(
    database: Database, settings: Settings, team: Team
) -> None:
    """Such as reports of several mails: each would wait for what the other has."""
    await exhaust(database, settings, team)
    async with database.sessions.begin() as session:
        [locked, *others] = await make_notices(session, settings)
        for notice_id in (locked, *others):
            await claim_notice(session, settings, notice_id)
    async with database.sessions.begin() as session, database.sessions.begin() as another:
        await another.execute(select(CreditNotice).filter_by(id=locked).with_for_update())
        await session.execute(text("set local lock_timeout = '10ms'"))
        assert sorted((await find_stranded(session)).unknown) == others
    async with database.sessions.begin() as session:
        assert (await find_stranded(session)).unknown == [locked]


@asynccontextmanager
async def outage(database_url: str) -> AsyncIterator[None]:
    """All connections to this database are cut, and no new ones let in."""
    url = make_url(database_url)
    server = url.set(database="postgres").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        await connection.execute(f"alter database {url.database} allow_connections false")
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            [url.database],
        )
        yield
        await connection.execute(f"alter database {url.database} allow_connections true")


@pytest.mark.long
async def test_a_worker_outlives_an_outage_of_the_database(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    """It begins while a mail is in flight: what became of that mail is known all the same."""
    twin.will_answer(OWNER, Answer(delay_seconds=0.3))
    await exhaust(database, settings, team)
    with capture_logs():  # quick, where writing out every trace takes seconds
        async with workers(settings, database_url):
            await until(lambda: len(twin.received) == 3)
            async with outage(database_url):
                await asyncio.sleep(1)
            await until_settled(database)
            await add(database, settings, team, 1)
            assert await send(database, settings, team)
            await until(lambda: len(twin.received) == 6)
            await until_settled(database)


async def test_finished_jobs_leave_nothing_behind(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    twin.will_answer(OWNER, SERVER_ERROR)
    twin.will_answer(ADMIN, BAD_REQUEST)
    await exhaust(database, settings, team)
    async with workers(settings, database_url):
        await until_settled(database, {ADMIN: "FAILED"})
    async with database.sessions() as session:
        for table in ("jobs", "events", "workers"):
            assert await session.scalar(text(f"select count(*) from procrastinate_{table}")) == 0


# Without a key


async def test_without_a_key_mail_is_written_to_files(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    settings = settings.model_copy(update={"sendgrid_api_key": None})
    await exhaust(database, settings, team)
    async with workers(settings, database_url):
        await until_settled(database)
    rows = await notices(database)
    files = sorted((settings.spoke_data_dir / "outbox").iterdir())
    assert {file.name for file in files} == {
        f"{rows[address].id:08}-EXHAUSTED-{address}.eml" for address in TOLD
    }
    for file in files:
        mail = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert mail["To"] in file.name
        assert mail["Subject"] == "North Valley Field has run out of credits"
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain and "Add credits" not in plain.get_content()
        assert html and "<h1" in html.get_content()
    assert not twin.received


@pytest.mark.parametrize("address", ["../../x/y@example.org", "o'neill@exämple.org", "nobody", ""])
async def test_odd_addresses_stay_in_the_outbox(settings: Settings, address: str) -> None:
    settings = settings.model_copy(update={"sendgrid_api_key": None})
    assert (await deliver(settings, replace(A_MAIL, to=address))).state is NoticeState.SENT
    [file] = (settings.spoke_data_dir / "outbox").iterdir()
    assert file.suffix == ".eml"


async def test_a_mail_that_cannot_be_put_into_a_file_fails(settings: Settings) -> None:
    settings = settings.model_copy(update={"sendgrid_api_key": None})
    with capture_logs() as logged:
        delivery = await deliver(settings, replace(A_MAIL, to="olivia@example.org\nBcc: y@z"))
    assert delivery.state is NoticeState.FAILED
    assert delivery.error and "linefeed" in delivery.error
    assert [entry["event"] for entry in logged] == ["mail_not_composed"]
    assert list((settings.spoke_data_dir / "outbox").iterdir()) == []


async def test_a_full_or_missing_disk_is_tried_again(settings: Settings) -> None:
    (settings.spoke_data_dir / "outbox").write_text("in the way")
    settings = settings.model_copy(update={"sendgrid_api_key": None})
    delivery = await deliver(settings, A_MAIL)
    assert delivery.state is NoticeState.QUEUED
    assert delivery.error


# What it says

SINCE = datetime(2026, 3, 12, 23, 5, 59, tzinfo=timezone(timedelta(hours=-5)))
USED_UP = Event(SINCE, None, is_short=False, remaining=-1300, required=None)
SHORT = Event(SINCE, None, is_short=True, remaining=2, required=3)


def mail_about(
    settings: Settings,
    event: Event,
    *,
    occasion: Occasion = Occasion.EXHAUSTED,
    team: str = "North Valley Field",
    is_to_superadmin: bool = False,
) -> Mail:
    notice = Notice(1, occasion, OWNER, 1, 7, team, is_to_superadmin, event)
    return compose(settings, SECRET, notice)


def test_used_up_and_short_are_told_apart(settings: Settings) -> None:
    used_up, short = mail_about(settings, USED_UP), mail_about(settings, SHORT)
    assert used_up.subject == "North Valley Field has run out of credits"
    assert short.subject == "North Valley Field is short of credits"
    for body in both(used_up):
        assert "North Valley Field has used up its credits. Remaining: -1,300 credits." in body
        assert "every text is refused until credits are added" in body
    for body in both(short):
        assert "2 credits left, a text needed 3." in body
        assert "Shorter ones still go out." in body


@pytest.mark.parametrize("event", [USED_UP, SHORT], ids=["used up", "short"])
def test_a_mail_without_figures_has_no_digits_but_the_time(
    settings: Settings, event: Event
) -> None:
    hidden = replace(event, remaining=None, required=None)
    for body in both(mail_about(settings, hidden)):
        assert "Since 2026-03-13, 04:05 UTC" in body
        assert not re.search(r"\d", body.replace("2026-03-13, 04:05", ""))


def test_it_says_what_still_works_and_who_can_help(settings: Settings) -> None:
    with_support = settings.model_copy(update={"support_email": "help@example.org"})
    for body in both(mail_about(with_support, USED_UP)):
        assert "Incoming texts arrive" in body
        assert "Opting out and closing conversations." in body
        assert "Please ask one, or write to help@example.org." in body
    for body in both(mail_about(settings, USED_UP)):
        assert "Please ask one." in body
    mail = mail_about(settings, USED_UP, is_to_superadmin=True)
    for body in both(mail):
        assert "as a superadmin you can add credits" in body
    assert "https://spoke.example.org\n" in mail.text
    assert 'href="https://spoke.example.org"' in mail.html


def test_a_late_mail_says_that_it_is_over(settings: Settings) -> None:
    over = replace(USED_UP, until=SINCE + timedelta(minutes=30))
    for body in both(mail_about(settings, over)):
        assert "Over since 2026-03-13, 04:35 UTC: the team can send texts again." in body


def test_the_support_address_is_not_told_to_write_to_itself(settings: Settings) -> None:
    settings = settings.model_copy(update={"support_email": OWNER.upper()})
    mail = mail_about(settings, replace(USED_UP, remaining=None), occasion=Occasion.SET_UP)
    for body in both(mail):
        assert "now uses credits to control outbound texting, and has none left." in body
        assert "or write to" not in body


def test_a_hostile_team_name_stays_text(settings: Settings) -> None:
    for occasion in Occasion:
        mail = mail_about(settings, SHORT, occasion=occasion, team="<b>x</b>\r\nBcc: y@z &")
        assert "<b>x</b>" not in mail.html
        assert "&lt;b&gt;x&lt;/b&gt; Bcc: y@z &amp;" in mail.html
        assert "<b>x</b> Bcc: y@z &" in mail.text
        assert mail.subject.startswith("<b>x</b> Bcc: y@z & ")


async def claimed_mails(database: Database, settings: Settings) -> list[Mail]:
    async with database.sessions.begin() as session:
        ids = await make_notices(session, settings)
        claimed = [await claim_notice(session, settings, notice_id) for notice_id in ids]
    return [compose(settings, SECRET, notice) for notice in claimed if notice]


@pytest.mark.parametrize(
    ("visible_to", "with_figures"),
    [
        ("SUPERADMIN", {SUPERADMIN}),
        ("OWNER", {SUPERADMIN, OWNER}),
        ("ADMIN", {SUPERADMIN, OWNER, ADMIN}),
    ],
)
async def test_figures_go_to_those_who_may_see_them(
    database: Database, settings: Settings, team: Team, visible_to: str, with_figures: set[str]
) -> None:
    settings = settings.model_copy(update={"credits_visible_to": CreditsVisibleTo(visible_to)})
    await exhaust(database, settings, team)
    mails = await claimed_mails(database, settings)
    assert {mail.to for mail in mails} == TOLD
    assert {mail.to for mail in mails if "Remaining: 0 credits." in mail.text} == with_figures
    assert {mail.to for mail in mails if "Remaining: 0 credits." in mail.html} == with_figures
    assert {mail.to for mail in mails if "as a superadmin" in mail.text} == {SUPERADMIN}


async def test_a_text_that_is_too_dear_brings_mail_with_its_cost(
    database: Database, settings: Settings, team: Team
) -> None:
    await add(database, settings, team, 2)
    assert not await send(database, settings, team, body="Look [https://example.org/a.png]")
    mails = {mail.to: mail for mail in await claimed_mails(database, settings)}
    assert "2 credits left, a text needed 3." in mails[SUPERADMIN].text
    assert mails.keys() == TOLD
