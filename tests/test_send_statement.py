import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import psycopg
import pytest

from models.database import Database, open_database
from services.send_statement import Send, Written, write_sends
from tests.world import (
    Team,
    add,
    books,
    changed_tables,
    holding,
    make_send,
    make_team,
    rows,
    state,
    switch,
    until_waiting,
    value,
    with_settings,
)

LOCK_ACCOUNT = "select from credit_account where team_id = %(team)s for update"
LOCK_CONTACT = "select from campaign_contact where id = %(contact)s for update"
GENEROUS_SECONDS = 10


async def write(database: Database, sends: Sequence[Send]) -> list[Written]:
    """Whatever is locked meanwhile, the answer must come."""
    async with asyncio.timeout(GENEROUS_SECONDS), database.pool.connection() as connection:
        return await write_sends(connection, sends)


async def write_one_after_another(database: Database, sends: Sequence[Send]) -> list[Written]:
    """Each in a statement of its own, on one connection."""
    async with database.pool.connection() as connection:
        return [(await write_sends(connection, [send]))[0] for send in sends]


def outcomes(written: Sequence[Written]) -> list[tuple[str, int]]:
    """Of each send what became of it and what the team has left."""
    return [(str(one.outcome), one.remaining) for one in written]


async def chain(database: Database, team: Team) -> list[tuple[str, int, int]]:
    found = await rows(
        database,
        "select kind, amount, balance_after from credit_entry where team_id = %(team)s order by id",
        team=team.id,
    )
    return [tuple(row) for row in found]


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, send_pool_size=16) as database:
        yield database


@pytest.mark.parametrize(
    ("credits", "costs", "expected", "left"),
    [
        (5, [1, 2, 2], "AAA", 0),
        (5, [3, 3, 2], "AIN", 2),
        (2, [3, 1, 2], "INN", 2),
        (2, [3, 3, 3], "III", 2),
        (3, [2, 2, 1], "AIN", 1),
        (4, [1, 1, 3, 2], "AAIN", 2),
        (0, [1, 1], "II", 0),
        (0, [-2, 1], "AI", -2),
        (2, [2, -1, 1], "AAI", -1),
        (2, [-3, 2, -1], "AIA", -2),
        (4, [-1, 3, 1], "AAI", 0),
        (4, [3, -1, 1], "AAI", 0),
        (None, [3, -1, 2], "AAA", 0),
    ],
)
async def test_sends_of_one_team_are_decided_in_their_order(
    database: Database, credits: int | None, costs: list[int], expected: str, left: int
) -> None:
    """A negative cost is that of a forced send. None: without credits."""
    team = await make_team(database, contacts=len(costs), credits=credits)
    sends = [
        make_send(team, position, cost=abs(cost), forced=cost < 0)
        for position, cost in enumerate(costs)
    ]
    names = {"A": "ACCEPTED", "I": "INSUFFICIENT", "N": "NEXT_BATCH"}
    written = await write(database, sends)
    assert outcomes(written) == [(names[letter], left) for letter in expected]
    accepted = [abs(c) for c, letter in zip(costs, expected, strict=True) if letter == "A"]
    balances = [(credits or 0) - sum(accepted[: n + 1]) for n in range(len(accepted))]
    if credits is not None:
        debits = [
            ("SEND", -cost, balance) for cost, balance in zip(accepted, balances, strict=True)
        ]
        assert (await chain(database, team))[bool(credits) :] == debits
    figures = await books(database, team.id)
    assert (figures.texts, figures.balance) == (len(accepted), left)
    is_open = credits is not None and (left <= 0 or "I" in expected)
    assert (figures.exhaustions, figures.reason is not None) == (is_open, is_open)


async def test_refused_send_that_fits_goes_with_the_next_batch(database: Database) -> None:
    team = await make_team(database, contacts=3, credits=3)
    sends = [make_send(team, position, cost=cost) for position, cost in enumerate((2, 2, 1))]
    written = await write(database, sends)
    assert outcomes(written) == [("ACCEPTED", 1), ("INSUFFICIENT", 1), ("NEXT_BATCH", 1)]
    figures = await books(database, team.id)
    assert (figures.reason, figures.remaining, figures.required) == ("SHORT", 1, 2)
    assert outcomes(await write(database, sends[2:])) == [("ACCEPTED", 0)]
    assert (await books(database, team.id)).exhaustions == 1


@pytest.mark.parametrize(
    ("credits", "costs", "reason", "remaining", "required"),
    [
        (2, [4, 3, 5], "SHORT", 2, 3),
        (3, [3], "EXHAUSTED", 0, None),
        (3, [3, 2], "EXHAUSTED", 0, 2),
        (0, [2, 1], "EXHAUSTED", 0, 1),
        (1, [-3], "EXHAUSTED", -2, None),
    ],
)
async def test_exhaustion_says_what_was_left_and_the_least_that_was_needed(
    database: Database,
    credits: int,
    costs: list[int],
    reason: str,
    remaining: int,
    required: int | None,
) -> None:
    team = await make_team(database, contacts=len(costs), credits=credits)
    sends = [make_send(team, n, cost=abs(c), forced=c < 0) for n, c in enumerate(costs)]
    await write(database, sends)
    figures = await books(database, team.id)
    assert figures.exhaustions == 1
    assert (figures.reason, figures.remaining, figures.required) == (reason, remaining, required)


async def test_mixed_array_over_many_teams_has_an_outcome_for_each(
    database: Database,
) -> None:
    rich = await make_team(database, contacts=6, credits=10)
    short = await make_team(database, contacts=3, credits=2)
    empty = await make_team(database, contacts=4, credits=0)
    never = await make_team(database, contacts=2)
    off = await make_team(database, contacts=2, credits=1)
    await switch(database, off, enabled=False)
    given, archived, opted_out, locked = rich.contact_ids[1:5]
    await rows(
        database, "update campaign_contact set assignment_id = null where id = %(id)s", id=given
    )
    await rows(
        database, "update campaign_contact set archived = true where id = %(id)s", id=archived
    )
    for contact_id in (opted_out, empty.contact_ids[2]):
        await rows(
            database,
            "update campaign_contact set is_opted_out = true where id = %(id)s",
            id=contact_id,
        )
    plan = [
        (make_send(short, 0, cost=3), "INSUFFICIENT"),
        (make_send(rich, 0, cost=2), "ACCEPTED"),
        (make_send(never, 0, cost=3), "ACCEPTED"),
        (make_send(rich, 1), "LOOK_AGAIN"),
        (make_send(rich, 2), "LOOK_AGAIN"),
        (make_send(rich, 3), "LOOK_AGAIN"),
        (make_send(empty, 0), "INSUFFICIENT"),
        (make_send(empty, 1, forced=True), "ACCEPTED"),
        (make_send(empty, 2, cost=2, forced=True), "ACCEPTED"),
        (make_send(short, 1, cost=2), "NEXT_BATCH"),
        (make_send(rich, 4, cost=9), "LOOK_AGAIN"),
        (make_send(off, 0, cost=2), "ACCEPTED"),
        (make_send(rich, 5, cost=8), "ACCEPTED"),
        (make_send(off, 1, forced=True), "ACCEPTED"),
        (make_send(empty, 3), "INSUFFICIENT"),
        (make_send(never, 1), "ACCEPTED"),
    ]
    async with holding(database, LOCK_CONTACT, contact=locked):
        written = await write(database, [send for send, _ in plan])
    left = {rich.id: 0, short.id: 2, empty.id: -3, never.id: 0, off.id: 1}
    assert outcomes(written) == [(outcome, left[send.team_id]) for send, outcome in plan]
    messages = await rows(
        database, "select id, campaign_contact_id, text, num_segments from message order by id"
    )
    by_id = {row.id: tuple(row[1:]) for row in messages}
    for (send, outcome), one in zip(plan, written, strict=True):
        assert (one.message_id is not None) is (outcome == "ACCEPTED")
        if one.message_id is not None:
            assert by_id.pop(one.message_id) == (send.contact_id, send.text, send.segments)
    assert by_id == {}
    touched = await rows(
        database, "select id from campaign_contact where message_status <> 'needsMessage'"
    )
    accepted = [send.contact_id for send, outcome in plan if outcome == "ACCEPTED"]
    assert sorted(row.id for row in touched) == sorted(accepted)

    assert (await chain(database, rich))[1:] == [("SEND", -2, 8), ("SEND", -8, 0)]
    assert await chain(database, empty) == [("SEND", -1, -1), ("SEND", -2, -3)]
    assert (await chain(database, short))[1:] == []
    assert await chain(database, never) == []
    assert (await chain(database, off))[1:] == []
    exhaustions = await rows(
        database,
        "select team_id, reason, remaining, required from credit_exhaustion order by team_id",
    )
    assert exhaustions == [
        (rich.id, "EXHAUSTED", 0, None),
        (short.id, "SHORT", 2, 3),
        (empty.id, "EXHAUSTED", -3, 1),
    ]
    for team in (rich, short, empty, never, off):
        assert (await books(database, team.id)).balance == left[team.id]


async def test_forced_send_goes_to_opted_out_contacts_but_not_to_changed_ones(
    database: Database,
) -> None:
    team = await make_team(database, contacts=3, credits=0)
    statements = ("is_opted_out = true", "archived = true", "assignment_id = null")
    for contact_id, statement in zip(team.contact_ids, statements, strict=True):
        change = f"update campaign_contact set {statement}, message_status = 'closed'"
        await rows(database, f"{change} where id = %(id)s", id=contact_id)
    written = await write(database, [make_send(team, n, forced=True) for n in range(3)])
    assert [str(one.outcome) for one in written] == ["ACCEPTED", "LOOK_AGAIN", "LOOK_AGAIN"]
    assert (await books(database, team.id)).balance == -1


async def test_send_to_an_unassigned_contact_notices_that_it_was_assigned(
    database: Database,
) -> None:
    team = await make_team(database)
    stale = make_send(team, contact_assignment_id=None)
    assert outcomes(await write(database, [stale])) == [("LOOK_AGAIN", 0)]
    await rows(database, "update campaign_contact set assignment_id = null")
    assert outcomes(await write(database, [stale])) == [("ACCEPTED", 0)]


async def test_sends_that_cannot_be_written_take_no_credits_from_others(
    database: Database,
) -> None:
    team = await make_team(database, contacts=2, credits=1)
    async with holding(database, LOCK_CONTACT, **team.names):
        written = await write(database, [make_send(team, n) for n in range(2)])
    assert outcomes(written) == [("LOOK_AGAIN", 0), ("ACCEPTED", 0)]


async def test_empty_and_unknown_sends_write_nothing(database: Database) -> None:
    team = await make_team(database, credits=1)
    before = await state(database)
    assert await write(database, []) == []
    unknown = make_send(team, contact_id=2**31 - 1)
    assert outcomes(await write(database, [unknown])) == [("LOOK_AGAIN", 1)]
    assert changed_tables(before, await state(database)) == set()


async def test_batch_and_single_sends_come_to_the_same_books(database: Database) -> None:
    """256 sends at once, with every cost; what was only hidden is sent afterwards."""
    together, apart = [await make_team(database, contacts=256, credits=300) for _ in range(2)]
    costs = [position % 3 + 1 for position in range(256)]
    sends = [make_send(together, n, cost=cost) for n, cost in enumerate(costs)]
    while sends:
        written = await write(database, sends)
        sends = [
            send for send, one in zip(sends, written, strict=True) if one.outcome == "NEXT_BATCH"
        ]
    await write_one_after_another(
        database, [make_send(apart, n, cost=cost) for n, cost in enumerate(costs)]
    )
    assert await chain(database, together) == await chain(database, apart)
    figures = [await books(database, team.id) for team in (together, apart)]
    assert figures[0].balance == 0 and figures[0].reason == "EXHAUSTED"
    # Only in a batch is a text refused at the very moment at which the credits are used up.
    assert [one.required for one in figures] == [1, None]
    assert figures[0] == replace(figures[1], required=1)


async def test_locked_contact_delays_nobody(database: Database) -> None:
    """The statement returns while the lock is held, and leaves no account locked."""
    teams = [await make_team(database, contacts=3, credits=9) for _ in range(2)]
    sends = [make_send(team, position) for position in range(3) for team in teams]
    async with holding(database, LOCK_CONTACT, **teams[0].names):
        for round_ in range(1, 3):
            written = await write(database, sends)
            kinds = [str(one.outcome) for one in written]
            assert kinds == ["LOOK_AGAIN"] + ["ACCEPTED"] * 5
            assert [(await books(database, team.id)).balance for team in teams] == [
                9 - 2 * round_,
                9 - 3 * round_,
            ]
    assert str((await write(database, sends[:1]))[0].outcome) == "ACCEPTED"


@pytest.mark.parametrize("lock", ["for update", "for no key update", "for share"])
async def test_any_lock_that_could_change_a_contact_counts(database: Database, lock: str) -> None:
    team = await make_team(database)
    statement = f"select from campaign_contact where id = %(contact)s {lock}"
    async with holding(database, statement, **team.names):
        assert outcomes(await write(database, [make_send(team)])) == [("LOOK_AGAIN", 0)]


async def test_contact_that_a_message_refers_to_may_be_texted(database: Database) -> None:
    """An inbound text locks the contact's key while its row is written; that is no change."""
    team = await make_team(database)
    statement = "select from campaign_contact where id = %(contact)s for key share"
    async with holding(database, statement, **team.names):
        assert outcomes(await write(database, [make_send(team)])) == [("ACCEPTED", 0)]


@pytest.mark.parametrize(
    "plan", [[], ["enable_hashjoin=off", "enable_nestloop=off"]], ids=["usual", "merge-joins"]
)
async def test_accounts_are_locked_before_contacts(
    database: Database, database_url: str, plan: list[str]
) -> None:
    """While the statement waits for one of its accounts, it holds none of its contacts.

    The order must not be an accident of the plan: left to itself, a merge join locks the contacts
    first.
    """
    first, second = [await make_team(database, contacts=2, credits=5) for _ in range(2)]
    sends = [make_send(team, n) for n in range(2) for team in (second, first)]
    async with (
        open_database(with_settings(database_url, *plan)) as planned,
        holding(database, LOCK_ACCOUNT, team=second.id),
    ):
        waiting = asyncio.create_task(write(planned, sends))
        await until_waiting(database, 1)
        free = await rows(
            database, "select id from campaign_contact order by id for update skip locked"
        )
        assert [row.id for row in free] == [*first.contact_ids, *second.contact_ids]
        free = await rows(database, "select team_id from credit_account for update skip locked")
        assert free == [], "the account of the first team is locked already"
    assert [str(one.outcome) for one in await waiting] == ["ACCEPTED"] * 4


async def test_batches_that_name_the_teams_in_any_order_do_not_deadlock(
    database: Database, crowd: Database
) -> None:
    teams = [await make_team(database, contacts=16, credits=1000) for _ in range(4)]

    async def sender(position: int) -> int:
        order = teams[position % 4 :] + teams[: position % 4]
        order = order[::-1] if position % 2 else order
        accepted = 0
        for _ in range(10):
            written = await write(crowd, [make_send(team, position) for team in order])
            accepted += sum(one.outcome == "ACCEPTED" for one in written)
        return accepted

    assert sum(await asyncio.gather(*map(sender, range(16)))) == 16 * 10 * 4
    assert [(await books(database, team.id)).balance for team in teams] == [840] * 4


async def test_contact_raced_by_many_is_not_waited_for_without_an_account(
    database: Database, crowd: Database
) -> None:
    """Each send is written, or told to look again; none waits for another's transaction."""
    team = await make_team(database)
    async with database.pool.connection() as slow, slow.transaction():
        assert outcomes(await write_sends(slow, [make_send(team)])) == [("ACCEPTED", 0)]
        written = await asyncio.gather(*(write(crowd, [make_send(team)]) for _ in range(16)))
        assert [outcomes(one) for one in written] == [[("LOOK_AGAIN", 0)]] * 16
    assert (await books(database, team.id)).texts == 1


async def test_balance_is_the_one_after_the_wait(database: Database) -> None:
    """A refill that commits while the send waits for the account counts already."""
    team = await make_team(database, credits=1)
    refill = "update credit_account set balance = balance + 5 where team_id = %(team)s"
    async with holding(database, refill, team=team.id):
        waiting = asyncio.create_task(write(database, [make_send(team, cost=6)]))
        await until_waiting(database, 1)
    assert outcomes(await waiting) == [("ACCEPTED", 0)]


async def test_turning_on_counts_for_sends_that_waited_for_it(database: Database) -> None:
    team = await make_team(database, credits=1)
    await switch(database, team, enabled=False)
    turn_on = "update credit_account set enabled = true where team_id = %(team)s"
    async with holding(database, turn_on, team=team.id):
        waiting = asyncio.create_task(write(database, [make_send(team, cost=2)]))
        await until_waiting(database, 1)
    assert outcomes(await waiting) == [("INSUFFICIENT", 1)]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"user_id": 2**31 - 1}, psycopg.errors.ForeignKeyViolation),
        ({"segments": 40_000}, psycopg.errors.NumericValueOutOfRange),
        ({"text": "a\0b"}, psycopg.errors.UntranslatableCharacter),
        ({"assignment_id": None}, psycopg.errors.NotNullViolation),
        ({"version_hash": "h" * 256}, psycopg.errors.StringDataRightTruncation),
        ({"idempotency_key": "k"}, psycopg.errors.CheckViolation),
        ({"idempotency_key": "used", "fingerprint": "00"}, psycopg.errors.UniqueViolation),
        ({"cost": 0}, psycopg.errors.CheckViolation),
    ],
    ids=["no-user", "size", "nul", "no-assignment", "hash", "half-a-key", "used-key", "free"],
)
async def test_data_error_in_one_row_writes_nothing_of_the_batch(
    database: Database, wrong: dict[str, object], error: type[psycopg.Error]
) -> None:
    team = await make_team(database, contacts=4, credits=9)
    short = await make_team(database, credits=1)
    keyed = make_send(team, 3, idempotency_key="used", fingerprint="00")
    await write(database, [keyed])
    before = await state(database)
    good = [make_send(team, 0), make_send(short, cost=2)]
    bad = replace(make_send(team, 1), **wrong)  # type: ignore[arg-type]
    with pytest.raises(error):
        await write(database, [*good, bad])
    assert changed_tables(before, await state(database)) == set()
    assert outcomes(await write(database, good)) == [("ACCEPTED", 7), ("INSUFFICIENT", 1)]
    await books(database, team.id)


async def test_statement_takes_part_in_a_wider_transaction(database: Database) -> None:
    team = await make_team(database, contacts=2, credits=5)
    before = await state(database)
    async with database.pool.connection() as connection:
        async with connection.transaction(force_rollback=True):
            for position in range(2):
                written = await write_sends(connection, [make_send(team, position, cost=2)])
                assert outcomes(written) == [("ACCEPTED", 3 - 2 * position)]
        assert changed_tables(before, await state(database)) == set()
        async with connection.transaction():
            for position in range(2):
                await write_sends(connection, [make_send(team, position, cost=2)])
    assert (await books(database, team.id)).balance == 1
    await add(database, team, 1)
    assert await value(database, "select max(balance_after) from credit_entry") == 5
