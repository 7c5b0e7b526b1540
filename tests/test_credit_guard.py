"""Texts that Spoke's own server and workers write are debited or refused while they are written,
and settled by what Spoke records of them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
import regex
from psycopg import AsyncConnection, DatabaseError
from psycopg.errors import InsufficientPrivilege, LockNotAvailable

from models import credit_guard
from models.database import Database, open_database
from server.worker import Pace, run_worker
from services.credit_guard import (
    GuardStatus,
    guard_status,
    install_guard,
    remove_guard,
    settle_guarded,
)
from services.errors import Conflict, InsufficientCredits
from services.providers import DeliveryStatus, Report
from services.recounts import note_segments
from services.segments import _MARKS, _PREPENDED, cost_of
from services.send_statement import Outcome, write_sends
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.settings import load_settings
from services.usage_day import rebuild_usage, verify_usage
from services.verification import verify_credits
from tests.conftest import SECRET
from tests.test_segments import ALPHABETS, VECTORS
from tests.test_text_worker import until
from tests.world import (
    SETTINGS,
    Team,
    add,
    changed_tables,
    figures,
    holding,
    make_send,
    make_team,
    of_cost,
    rows,
    state,
    switch,
    value,
)

BY_SPOKE = """
insert into message (campaign_contact_id, assignment_id, user_id, contact_number, is_from_contact,
  text, service, send_status)
values (%(contact)s, %(assignment)s, %(texter)s, '+12025550000', %(inbound)s, %(text)s, 'twilio',
  'QUEUED')
returning id
"""
ENTRIES = """
select kind, amount::int, balance_after::int, message_id::int from credit_entry
where kind <> 'PURCHASE' order by id
"""
GSM_7_LIKE = [*"abcdefghij .,!?'\n\r", "é", "€", "[", "]", "{", "^", "\f"]
PLAIN = [*"ab ", "ç", "中", "я", "א", "ع", "\U0001f600", "\U0001f680", "한"]
MARKUP = ["[http://a.b/c]", "[ https://a.b/c.jpg\u3000]", "[http", "[ftp://a]", "[", "]", "x", "中"]
SPACES = [chr(code) for code in (9, 11, 0x85, 0xA0, 0x1680, 0x180E, 0x200B, 0x2028, 0xFEFF)]
STRETCHES = [1, 1, 1, 2, 3, 15, 32, 66, 67, 70, 152, 160]


@pytest.fixture
async def guarded(database: Database) -> Database:
    await install(database)
    return database


async def install(database: Database, **settings: Any) -> None:
    async with database.sessions.begin() as session:
        await install_guard(session, load_settings(**settings))


async def status(database: Database) -> GuardStatus:
    async with database.sessions() as session:
        return await guard_status(session, SETTINGS)


@contextmanager
def refused() -> Iterator[pytest.ExceptionInfo[DatabaseError]]:
    with pytest.raises(DatabaseError, match="Insufficient Credits") as raised:
        yield raised
    assert raised.value.sqlstate == credit_guard.REFUSED


async def settle(database: Database) -> int:
    async with database.sessions.begin() as session:
        return await settle_guarded(session)


async def text_by_spoke(
    database: Database, team: Team, text: str = "Hi!", *, contact: int = 0, inbound: bool = False
) -> int:
    """As Spoke writes it. Its id."""
    chosen = {**team.names, "contact": team.contact_ids[contact]}
    [row] = await rows(database, BY_SPOKE, **chosen, text=text, inbound=inbound)
    return int(row.id)


async def report(database: Database, message_id: int, **columns: Any) -> None:
    """What Spoke writes of a report."""
    columns = {"service_id": f"SM{message_id}", **columns}
    changes = ", ".join(f"{name} = %({name})s" for name in columns)
    await rows(
        database, f"update message set {changes} where id = %(id)s", id=message_id, **columns
    )


async def entries(database: Database) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await rows(database, ENTRIES)]


async def assert_exact(database: Database) -> None:
    """The books of all teams, and usage once Spoke's texts are folded in."""
    async with database.sessions.begin() as session:
        assert (await verify_credits(session)).drifts == []
        await rebuild_usage(session, with_ours=False)
    async with database.sessions() as session:
        assert await verify_usage(session) == []


# What a text may need at most


def dearest(database_url: str, texts: list[str], mms_credits: int) -> list[int]:
    with psycopg.connect(database_url) as connection:
        connection.execute(credit_guard.install(mms_credits).encode())
        found = connection.execute(
            "select credits_guard_dearest(sent, %s) from unnest(%s::text[])"
            " with ordinality as t (sent, place) order by place",
            [mms_credits, texts],
        ).fetchall()
        connection.rollback()
    return [row[0] for row in found]


def random_texts(count: int) -> list[str]:
    """Characters that nothing joins or splits, that do either, and what may be media."""
    chosen = random.Random(7)
    mixed = [*GSM_7_LIKE, *PLAIN, *MARKUP, *SPACES, *ALPHABETS[-1]]
    anything = [chr(c) for c in range(1, 0x20000) if not 0xD800 <= c < 0xE000]
    alphabets = [GSM_7_LIKE, PLAIN, [*MARKUP, *SPACES], mixed, anything, *ALPHABETS]
    return [
        "".join(
            chosen.choice(alphabet) * chosen.choice(STRETCHES)
            for alphabet in [chosen.choice(alphabets)]
            for _ in range(chosen.randint(0, 6))
        )
        for _ in range(count)
    ]


@pytest.mark.long
def test_the_bound_is_never_below_our_own_count(database_url: str) -> None:
    """Exact for media, whose debit no report corrects."""
    mms_credits = 2
    texts = ["", "[http://a]", *(vector["text"] for vector in VECTORS), *random_texts(10_000)]
    bounds = dearest(database_url, texts, mms_credits)
    counts = [cost_of(text, mms_credits=mms_credits) for text in texts]
    below = [
        (text, bound, cost)
        for text, bound, cost in zip(texts, bounds, counts, strict=True)
        if bound < cost.credits or (cost.media and bound != mms_credits)
    ]
    assert below == []
    chosen = slice(2, 2 + len(VECTORS))
    assert sum(bounds[chosen]) < 1.1 * sum(cost.credits for cost in counts[chosen])


@pytest.mark.parametrize(
    "text",
    ["", "x" * 160, "x" * 161, "x" * 307, "中" * 70, "中" * 135, "中" * 66 + "\U0001f600" * 2,
     "Будем рады " * 20, "we ❤️ you " * 7, "[http://a.b/c.jpg] " + "x" * 500],
    ids=["empty", "one", "two", "three", "one-ucs-2", "three-ucs-2", "split-pair", "russian",
         "hearts", "media"],
)  # fmt: skip
def test_the_bound_of_an_ordinary_text_is_its_count(database_url: str, text: str) -> None:
    assert dearest(database_url, [text], 3) == [cost_of(text, mms_credits=3).credits]


def test_what_counts_as_even_joins_no_neighbour() -> None:
    joining = regex.compile(rf"[{_MARKS}{_PREPENDED}\p{{GCB=L}}\p{{GCB=V}}\p{{GCB=T}}\p{{GCB=RI}}]")
    even = regex.compile(f"[{credit_guard._EVEN}]")
    everything = (chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000)
    assert [c for c in everything if joining.match(c) and even.match(c)] == []


# Spoke's texts


async def test_a_text_of_spokes_is_debited(guarded: Database) -> None:
    team = await make_team(guarded, contacts=2, credits=5)
    first = await text_by_spoke(guarded, team, of_cost(2))
    second = await text_by_spoke(guarded, team, "[http://a.b/c.jpg]", contact=1)
    assert await entries(guarded) == [("SEND", -2, 3, first), ("SEND", -3, 0, second)]
    found = await figures(guarded, team.id)
    assert (found.balance, found.reason, found.remaining) == (0, "EXHAUSTED", 0)
    actors = "select array_agg(distinct actor_id) from credit_entry where kind = 'SEND'"
    assert await value(guarded, actors) == [team.texter.user_id]
    await assert_exact(guarded)


async def test_a_text_that_the_credits_do_not_cover_is_refused(guarded: Database) -> None:
    """At once, since Spoke hands a text over before it commits; and nothing of it stays."""
    team = await make_team(guarded, credits=2)
    before = await state(guarded)
    async with guarded.pool.connection() as connection, connection.transaction():
        with refused() as raised:
            async with connection.transaction():
                chosen = {**team.names, "text": of_cost(3), "inbound": False}
                await connection.execute(BY_SPOKE, chosen)
        assert raised.value.diag.message_primary == (
            f"Insufficient Credits: team {team.id} has not the 3 that this text may need"
        )
    assert changed_tables(before, await state(guarded)) == set()
    await text_by_spoke(guarded, team, of_cost(2))
    await add(guarded, team, 3)
    await text_by_spoke(guarded, team, of_cost(3))


async def test_a_statement_is_refused_as_a_whole(guarded: Database) -> None:
    team = await make_team(guarded, credits=2)
    before = await state(guarded)
    three = BY_SPOKE.replace("values (", "select ").replace(
        "'QUEUED')", "'QUEUED' from generate_series(1, 3)"
    )
    with refused():
        await rows(guarded, three, **team.names, text="Hi!", inbound=False)
    assert changed_tables(before, await state(guarded)) == set()
    await add(guarded, team, 1)
    assert len(await rows(guarded, three, **team.names, text="Hi!", inbound=False)) == 3
    assert [entry[2] for entry in await entries(guarded)] == [2, 1, 0]
    await assert_exact(guarded)


async def test_without_credits_a_text_is_neither_debited_nor_refused(guarded: Database) -> None:
    never = await make_team(guarded)
    off = await make_team(guarded, credits=0)
    await switch(guarded, off, enabled=False)
    for team in (never, off):
        await text_by_spoke(guarded, team)
    assert await entries(guarded) == []
    await assert_exact(guarded)


async def test_what_comes_in_costs_nothing(guarded: Database) -> None:
    team = await make_team(guarded, credits=0)
    await text_by_spoke(guarded, team, inbound=True)
    assert await entries(guarded) == []


async def test_a_text_of_nobody_passes(guarded: Database) -> None:
    """No team, no cap; and without a contact Spoke finds no service to send it by."""
    team = await make_team(guarded, credits=0)
    await rows(
        guarded,
        BY_SPOKE,
        **{**team.names, "contact": None, "assignment": 0},
        text="Hi!",
        inbound=False,
    )
    with refused():
        await rows(guarded, BY_SPOKE, **{**team.names, "contact": None}, text="Hi!", inbound=False)


async def test_an_opt_out_is_confirmed_whatever_remains(guarded: Database) -> None:
    """Spoke records the opt-out first. A refusal would take that away as well."""
    team = await make_team(guarded, credits=0)
    async with guarded.pool.connection() as connection, connection.transaction():
        await connection.execute(
            "insert into opt_out (cell, assignment_id, organization_id, reason_code)"
            " values ('+12025550000', %(assignment)s, %(team)s, '')",
            team.names,
        )
        await connection.execute(BY_SPOKE, {**team.names, "text": "Bye!", "inbound": False})
    found = await figures(guarded, team.id)
    assert (found.balance, found.exhaustions) == (-1, 1)
    await assert_exact(guarded)


# Our own


async def test_our_own_texts_pass_with_the_entry_of_the_same_statement(guarded: Database) -> None:
    team = await make_team(guarded, contacts=4, credits=6)
    off = await make_team(guarded)
    sends = [make_send(team, n, cost=2) for n in range(4)]
    async with guarded.pool.connection() as connection:
        written = await write_sends(connection, [*sends, make_send(off)])
    assert [one.outcome for one in written].count(Outcome.ACCEPTED) == 4
    assert [entry[:3] for entry in await entries(guarded)] == [
        ("SEND", -2, 4),
        ("SEND", -2, 2),
        ("SEND", -2, 0),
    ]
    await assert_exact(guarded)


async def test_a_text_with_a_debit_of_its_own_passes(guarded: Database) -> None:
    team = await make_team(guarded, credits=9)
    await rows(
        guarded,
        f"with sent as ({BY_SPOKE}), debited as ("
        " update credit_account set balance = 8 where team_id = %(team)s)"
        "insert into credit_entry (team_id, kind, amount, balance_after, message_id)"
        " select %(team)s, 'SEND', -1, 8, id from sent",
        **team.names,
        text=of_cost(2),
        inbound=False,
    )
    assert [entry[:3] for entry in await entries(guarded)] == [("SEND", -1, 8)]
    await assert_exact(guarded)


# What becomes of them


async def test_the_providers_count_settles_the_debit_once(guarded: Database) -> None:
    team = await make_team(guarded, contacts=4, credits=20)
    fewer, more, waiting, media = [
        await text_by_spoke(guarded, team, text, contact=n)
        for n, text in enumerate([of_cost(3), of_cost(2), of_cost(4), "[http://a.b/c.jpg]"])
    ]
    assert await settle(guarded) == 0
    await report(guarded, fewer, send_status="DELIVERED", num_segments=2, num_media=0)
    await report(guarded, more, send_status="ERROR", num_segments=4, num_media=0)
    await report(guarded, waiting, send_status="SENT")
    await report(guarded, media, send_status="DELIVERED", num_segments=1, num_media=None)
    assert await settle(guarded) == 2
    assert (await entries(guarded))[4:] == [
        ("SETTLEMENT", 1, 9, fewer),
        ("SETTLEMENT", -2, 7, more),
    ]
    await report(guarded, fewer, num_segments=1)
    assert await settle(guarded) == 0
    await assert_exact(guarded)


async def test_what_twilio_lists_of_spokes_texts_is_settled(guarded: Database) -> None:
    """Spoke doesn't learn it: Twilio's reports don't tell. Whose text costs nothing stays as is."""
    team = await make_team(guarded, contacts=3, credits=20)
    never = await make_team(guarded)
    debited, known = [await text_by_spoke(guarded, team, of_cost(3), contact=n) for n in range(2)]
    free = await text_by_spoke(guarded, never)
    async with guarded.pool.connection() as connection:
        [ours] = await write_sends(connection, [make_send(team, 2)])
        assert ours.message_id is not None
        for message_id in (debited, known, free, ours.message_id):
            await report(guarded, message_id, send_status="SENT")
        await report(guarded, known, num_segments=3)
        listed = [
            Report(0, DeliveryStatus.DELIVERED, f"SM{message_id}", segments=2)
            for message_id in (debited, known, free, ours.message_id, 0)
        ]
        assert await note_segments(connection, listed) == 1
        assert await note_segments(connection, listed) == 0
    assert await settle(guarded) == 1
    assert (await entries(guarded))[-1][:2] == ("SETTLEMENT", 1)


@pytest.mark.parametrize(
    ("columns", "gives_back"),
    [
        ({"send_status": "NOT_ATTEMPTED", "service_id": ""}, True),
        ({"send_status": "ERROR", "service_id": ""}, True),
        ({"send_status": "ERROR", "service_response": '[{"MessageStatus": "failed"}]'}, True),
        ({"send_status": "ERROR", "service_response": '[{"eventType":"sending_failed"}]'}, True),
        ({"send_status": "ERROR", "service_response": '[{"MessageStatus": "undelivered"}]'}, False),
        ({"send_status": "ERROR", "service_response": '[{"eventType":"delivery_failed"}]'}, False),
        ({"send_status": "ERROR", "service_response": None}, False),
        ({"send_status": "DELIVERED"}, False),
        ({"send_status": "QUEUED", "service_id": "", "num_segments": 1}, False),
    ],
    ids=["not-attempted", "no-id", "failed", "sending-failed", "undelivered", "delivery-failed",
         "silent", "delivered", "not-from-a-provider"],
)  # fmt: skip
async def test_what_no_carrier_took_is_given_back(
    guarded: Database, columns: dict[str, Any], gives_back: bool
) -> None:
    team = await make_team(guarded, contacts=2, credits=5)
    message_id = await text_by_spoke(guarded, team, of_cost(5))
    await report(guarded, message_id, send_status="SENT", num_segments=None)
    await report(guarded, message_id, **columns)
    assert await settle(guarded) == int(gives_back)
    assert await settle(guarded) == 0
    found = await figures(guarded, team.id)
    # Who has run out stays so until credits are added.
    assert (found.balance, found.reason) == (5 if gives_back else 0, "EXHAUSTED")
    await assert_exact(guarded)


async def test_a_text_that_was_settled_gives_back_what_is_left(guarded: Database) -> None:
    team = await make_team(guarded, credits=5)
    message_id = await text_by_spoke(guarded, team, of_cost(3))
    await report(guarded, message_id, send_status="SENT", num_segments=1)
    assert await settle(guarded) == 1
    await report(guarded, message_id, send_status="NOT_ATTEMPTED", num_segments=2)
    assert await settle(guarded) == 1
    assert [entry[:3] for entry in await entries(guarded)] == [
        ("SEND", -3, 2),
        ("SETTLEMENT", 2, 4),
        ("GIVE_BACK", 1, 5),
    ]
    assert await settle(guarded) == 0


async def test_settling_may_exhaust_a_team(guarded: Database) -> None:
    team = await make_team(guarded, credits=2)
    message_id = await text_by_spoke(guarded, team)
    await report(guarded, message_id, send_status="DELIVERED", num_segments=4)
    await settle(guarded)
    found = await figures(guarded, team.id)
    assert (found.balance, found.reason, found.remaining) == (-2, "EXHAUSTED", -2)


async def test_what_was_not_debited_is_neither_settled_nor_given_back(guarded: Database) -> None:
    team = await make_team(guarded, contacts=2)
    spokes = await text_by_spoke(guarded, team)
    await switch(guarded, team, enabled=True)
    await report(guarded, spokes, send_status="NOT_ATTEMPTED")
    assert await settle(guarded) == 0


async def test_workers_settle_a_text_once(guarded: Database) -> None:
    team = await make_team(guarded, contacts=6, credits=60)
    for n in range(6):
        message_id = await text_by_spoke(guarded, team, of_cost(5), contact=n)
        await report(guarded, message_id, send_status="SENT", num_segments=n or 1)
    crowd = [settle(guarded) for _ in range(4)]
    assert sorted(await asyncio.gather(*crowd)) == [0, 0, 0, 5]
    await assert_exact(guarded)


async def test_a_worker_settles_and_counts_by_itself(guarded: Database, database_url: str) -> None:
    team = await make_team(guarded, credits=9)
    message_id = await text_by_spoke(guarded, team, of_cost(3))
    await report(guarded, message_id, send_status="DELIVERED", num_segments=2)
    pace = Pace(settle_guarded=0.05, rebuild_usage=0.05)
    worker = asyncio.create_task(run_worker(SETTINGS, database_url, SECRET, pace=pace))
    try:
        await until(guarded, "select sum(credits_used)::int from usage_day", 2)
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
    assert (await figures(guarded, team.id)).balance == 7


async def test_our_own_texts_are_not_settled_here(guarded: Database) -> None:
    team = await make_team(guarded, credits=9)
    async with guarded.pool.connection() as connection:
        [written] = await write_sends(connection, [make_send(team, cost=3)])
    assert written.message_id is not None
    await report(guarded, written.message_id, send_status="ERROR", num_segments=1, service_id="")
    assert await settle(guarded) == 0


# Everybody at once


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, send_pool_size=9) as database:
        yield database


async def texts_of_spokes(connection: AsyncConnection, team: Team, contacts: range) -> int:
    """How many were written; the contact is moved on in the same transaction, as Spoke does."""
    written = 0
    for n in contacts:
        chosen = {**team.names, "contact": team.contact_ids[n], "text": "Hi!", "inbound": False}
        try:
            async with connection.transaction():
                await connection.execute(BY_SPOKE, chosen)
                moved = "update campaign_contact set message_status = 'messaged' where id = %s"
                await connection.execute(moved, [team.contact_ids[n]])
        except DatabaseError as error:
            assert error.sqlstate == credit_guard.REFUSED
        else:
            written += 1
    return written


async def test_spokes_texts_and_ours_race_for_fifty_credits(
    guarded: Database, crowd: Database
) -> None:
    team = await make_team(guarded, contacts=160, credits=50)
    writer = SendWriter(guarded.pool, SETTINGS)

    async def ours(n: int) -> int:
        draft = make_draft(
            team.texter,
            contact_id=team.contact_ids[n],
            text="Hi!",
            assignment_id=team.assignment_id,
        )
        try:
            await send_message(writer, SETTINGS, team.texter, draft)
        except InsufficientCredits:
            return 0
        return 1

    async def spokes(n: int) -> int:
        async with crowd.pool.connection() as connection:
            return await texts_of_spokes(connection, team, range(80 + n * 10, 90 + n * 10))

    everybody = [*(ours(n) for n in range(80)), *(spokes(n) for n in range(8))]
    sent = await asyncio.gather(*everybody)
    assert sum(sent) == 50
    assert await value(guarded, "select count(*) from message") == 50
    assert await value(guarded, "select min(balance_after) from credit_entry") == 0
    found = await figures(guarded, team.id)
    assert (found.balance, found.metered, found.exhaustions) == (0, 50, 1)
    await assert_exact(guarded)


async def test_where_spoke_and_we_wait_for_each_other_spokes_insert_fails(
    guarded: Database, crowd: Database
) -> None:
    """We hold the account and want the contact, Spoke the other way round. It gives up before
    PostgreSQL looks for deadlocks, and tries again later."""
    team = await make_team(guarded, credits=9)
    wanted = "select from campaign_contact where id = %s for no key update"
    async with crowd.pool.connection() as ours, crowd.pool.connection() as spokes:
        async with ours.transaction():
            await ours.execute("select from credit_account for update")
            with pytest.raises(LockNotAvailable):
                async with spokes.transaction():
                    await spokes.execute(wanted, [team.contact_ids[0]])
                    waiting = asyncio.ensure_future(ours.execute(wanted, [team.contact_ids[0]]))
                    chosen = {**team.names, "text": "Hi!", "inbound": False}
                    await spokes.execute(BY_SPOKE, chosen)
            await waiting
        assert await value(guarded, "show lock_timeout") == "0"
    await text_by_spoke(guarded, team)


# Putting it in and taking it away


async def test_it_is_off_until_it_is_installed(database: Database) -> None:
    team = await make_team(database, credits=0)
    assert await status(database) is GuardStatus.ABSENT
    await text_by_spoke(database, team)
    await install(database)
    await install(database)
    assert await status(database) is GuardStatus.INSTALLED
    with refused():
        await text_by_spoke(database, team)
    for _ in range(2):
        async with database.sessions.begin() as session:
            await remove_guard(session, SETTINGS)
    assert await status(database) is GuardStatus.ABSENT
    await text_by_spoke(database, team)
    assert await entries(database) == []


async def test_another_mms_credits_or_a_disabled_trigger_wants_it_anew(database: Database) -> None:
    team = await make_team(database, credits=20)
    await install(database, mms_credits=7)
    assert await status(database) is GuardStatus.OUTDATED
    await text_by_spoke(database, team, "[http://a.b/c.jpg]")
    assert (await figures(database, team.id)).balance == 13
    await install(database)
    assert await status(database) is GuardStatus.INSTALLED
    await rows(database, "alter table message disable trigger credits_guard")
    assert await status(database) is GuardStatus.OUTDATED
    await install(database)
    assert await status(database) is GuardStatus.INSTALLED


async def test_it_waits_for_nobody_for_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.credit_guard.LOCK_SECONDS", 1)
    async with holding(database, "lock table message in row exclusive mode"):
        with pytest.raises(Conflict, match="try again"):
            await install(database)
    assert await status(database) is GuardStatus.ABSENT
    await install(database)
    async with holding(database, "lock table message in row exclusive mode"):
        await install(database)  # nothing to do, so nothing to wait for


async def test_spoke_needs_no_right_to_our_tables(guarded: Database) -> None:
    """Its role may be another. What debits is nobody's to call."""
    team = await make_team(guarded, credits=9)
    async with guarded.pool.connection() as connection:
        role = f"spoke_{team.texter.user_id}_{await value(guarded, 'select pg_backend_pid()')}"
        await connection.execute(f"create role {role}".encode())
        try:
            await connection.execute(
                f"grant select, insert on message to {role};"
                f"grant usage on sequence message_id_seq to {role}; set role {role}".encode()
            )
            chosen = {**team.names, "text": "Hi!", "inbound": False}
            await connection.execute(BY_SPOKE, chosen)
            with pytest.raises(InsufficientPrivilege):
                await connection.execute("select credits_guard_charge('{1}', 3)")
        finally:
            await connection.execute(f"reset role; drop owned by {role}; drop role {role}".encode())
    assert (await figures(guarded, team.id)).balance == 8
