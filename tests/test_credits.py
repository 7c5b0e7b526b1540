import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import psycopg
import pytest

from models.credits import CreditAccount, CreditPurchase
from models.database import Database, open_database
from services.access import Actor, Role
from services.credits import add_credits, remove_credit_purchase, set_credits_enabled
from services.errors import (
    Forbidden,
    InsufficientCredits,
    InvalidInput,
    NotFound,
    PurchaseAlreadyRemoved,
    ServiceError,
)
from services.send_statement import Outcome, write_sends
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.settings import Settings, load_settings
from services.verification import verify_credits
from tests.world import (
    SETTINGS,
    Team,
    add,
    books,
    changed_tables,
    held_back,
    make_member,
    make_send,
    make_team,
    rows,
    state,
    switch,
    until_waiting,
    value,
)

MOST = 1_000_000
TOO_MUCH = f"The amount must be a whole number from 1 to {MOST:,}."
LOCK_ACCOUNT = "select from credit_account where team_id = %(team)s for update"
SET_UP_MAILS = """
select team_id, remaining from credit_switch
where enabled and remaining <= 0 and notices_made_at is null
"""


async def buy(database: Database, team: Team, amount: int = 10, **fields: Any) -> CreditPurchase:
    """By the superadmin, unless `actor` is somebody else."""
    arguments: dict[str, Any] = {"actor": team.superadmin, "settings": SETTINGS, "team_id": team.id}
    async with database.sessions() as session, session.begin():
        return await add_credits(session, amount=amount, **arguments | fields)


async def remove(database: Database, actor: Actor, purchase_id: int) -> CreditPurchase:
    async with database.sessions() as session, session.begin():
        return await remove_credit_purchase(session, actor, purchase_id=purchase_id)


async def send(database: Database, *sends: Any) -> list[Outcome]:
    async with database.pool.connection() as connection:
        return [written.outcome for written in await write_sends(connection, sends)]


async def assert_refused(
    database: Database, action: Awaitable[Any], error: type[ServiceError], sentence: str = ""
) -> None:
    before = await state(database)
    with pytest.raises(error) as caught:
        await action
    assert type(caught.value) is error
    assert not sentence or str(caught.value) == sentence
    assert changed_tables(before, await state(database)) == set()


@pytest.fixture
async def team(database: Database) -> Team:
    """Has never used credits."""
    return await make_team(database, contacts=8)


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """Connections of its own for many who act at once."""
    async with open_database(database_url, pool_size=32, send_pool_size=32) as database:
        yield database


# Adding


@pytest.mark.parametrize("amount", [1, MOST])
async def test_adding_books_purchase_balance_and_entry(
    database: Database, team: Team, amount: int
) -> None:
    purchase = await buy(database, team, amount, note="  May\nwave ", key="k")
    [stored] = await rows(database, "select * from credit_purchase")
    assert stored.id == purchase.id
    assert (stored.team_id, stored.amount, stored.note) == (team.id, amount, "May\nwave")
    assert (stored.purchased_by, stored.purchased_by_name, stored.idempotency_key) == (
        team.superadmin.user_id,
        "Sam Superadmin",
        "k",
    )
    assert (stored.removed_at, stored.removed_by, stored.removed_by_name) == (None, None, None)
    [entry] = await rows(database, "select * from credit_entry")
    assert (entry.team_id, entry.kind, entry.amount, entry.balance_after) == (
        team.id,
        "PURCHASE",
        amount,
        amount,
    )
    assert (entry.purchase_id, entry.message_id, entry.actor_id) == (
        purchase.id,
        None,
        team.superadmin.user_id,
    )
    figures = await books(database, team.id)
    assert (figures.balance, figures.purchased, figures.enabled) == (amount, amount, False)


@pytest.mark.parametrize("amount", [0, -1, MOST + 1, 2**31, 2**63])
async def test_amount_out_of_bounds_is_refused(database: Database, team: Team, amount: int) -> None:
    await assert_refused(database, buy(database, team, amount), InvalidInput, TOO_MUCH)


async def test_operator_sets_the_largest_amount(database: Database, team: Team) -> None:
    small = load_settings(credits_max_per_purchase=5)
    await assert_refused(
        database,
        buy(database, team, 6, settings=small),
        InvalidInput,
        "The amount must be a whole number from 1 to 5.",
    )
    await buy(database, team, 5, settings=small)


async def test_sums_exceed_32_bits(database: Database, team: Team) -> None:
    largest = 2**31 - 1
    unlimited = load_settings(credits_max_per_purchase=largest)
    for _ in range(3):
        await buy(database, team, largest, settings=unlimited)
    assert (await books(database, team.id)).balance == 3 * largest


@pytest.mark.parametrize(
    ("note", "stored"),
    [(None, None), ("", None), (" \n ", None), ("a" * 1000, "a" * 1000), ("é 🚒", "é 🚒")],
    ids=["none", "empty", "blank", "longest", "other-letters"],
)
async def test_note_is_kept_unless_blank(
    database: Database, team: Team, note: str | None, stored: str | None
) -> None:
    await buy(database, team, note=note)
    assert await value(database, "select note from credit_purchase") == stored


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"note": "a" * 1001}, "The note is longer than 1000 characters."),
        ({"note": "a\0b"}, "The note contains a NUL character."),
        ({"note": "a\ud83d"}, "The note contains half of a surrogate pair."),
        ({"key": ""}, "The idempotency key is empty."),
        ({"key": " \t"}, "The idempotency key is empty."),
        ({"key": "k" * 201}, "The idempotency key is longer than 200 characters."),
        ({"key": "k\0"}, "The idempotency key contains a NUL character."),
    ],
    ids=lambda case: repr(case)[:24],
)
async def test_malformed_note_or_key_is_refused(
    database: Database, team: Team, fields: dict[str, Any], sentence: str
) -> None:
    await assert_refused(database, buy(database, team, **fields), InvalidInput, sentence)


async def test_unknown_team_is_refused(database: Database, team: Team) -> None:
    unknown = buy(database, team, team_id=team.id + 1)
    await assert_refused(database, unknown, NotFound, "There is no such team.")


async def test_only_superadmins_add_and_remove(database: Database, team: Team) -> None:
    purchase = await buy(database, team)
    for role in (None, *Role):
        actor = await make_member(database, team.id, role)
        for attempt in (
            buy(database, team, actor=actor),
            buy(database, team, 0, actor=actor),
            remove(database, actor, purchase.id),
            remove(database, actor, purchase.id + 1),
        ):
            await assert_refused(database, attempt, Forbidden)


async def test_repeated_key_returns_the_first_purchase(database: Database, team: Team) -> None:
    first = await buy(database, team, 10, note="first", key="k")
    before = await state(database)
    again = await buy(database, team, 10, note="second", key="k")
    assert (again.id, again.note) == (first.id, "first")
    assert changed_tables(before, await state(database)) == set()


async def test_repeated_key_returns_the_purchase_after_its_removal(
    database: Database, team: Team
) -> None:
    first = await buy(database, team, key="k")
    await remove(database, team.superadmin, first.id)
    again = await buy(database, team, key="k")
    assert again.id == first.id and again.removed_at is not None
    assert (await books(database, team.id)).balance == 0


async def test_key_of_another_team_or_amount_is_refused(database: Database, team: Team) -> None:
    other = await make_team(database)
    await buy(database, team, 10, key="k")
    sentence = "This idempotency key was used for another team or amount."
    await assert_refused(database, buy(database, other, 10, key="k"), InvalidInput, sentence)
    await assert_refused(database, buy(database, team, 11, key="k"), InvalidInput, sentence)


async def test_without_or_with_different_keys_each_addition_counts(
    database: Database, team: Team
) -> None:
    ids = [(await buy(database, team, 10, key=key)).id for key in (None, None, "k", "K")]
    assert len(set(ids)) == 4
    assert (await books(database, team.id)).balance == 40


# Exhaustion


@pytest.mark.parametrize(
    ("debt", "added", "is_open"), [(0, 1, False), (3, 2, True), (3, 3, True), (3, 4, False)]
)
async def test_adding_closes_the_exhaustion_only_if_something_remains(
    database: Database, debt: int, added: int, is_open: bool
) -> None:
    team = await make_team(database, credits=1)
    assert await send(database, make_send(team, cost=1 + debt, forced=True)) == ["ACCEPTED"]
    figures = await books(database, team.id)
    assert (figures.balance, figures.reason, figures.remaining) == (-debt, "EXHAUSTED", -debt)
    await buy(database, team, added)
    figures = await books(database, team.id)
    assert (figures.exhaustions, figures.reason is not None) == (1, is_open)
    await buy(database, team, debt + 1)
    assert (await books(database, team.id)).reason is None


async def test_adding_closes_a_shortage_even_if_the_text_still_costs_more(
    database: Database,
) -> None:
    team = await make_team(database, credits=1)
    assert await send(database, make_send(team, cost=4)) == ["INSUFFICIENT"]
    figures = await books(database, team.id)
    assert (figures.reason, figures.remaining, figures.required) == ("SHORT", 1, 4)
    await buy(database, team, 1)
    figures = await books(database, team.id)
    assert (figures.exhaustions, figures.reason) == (1, None)
    assert await send(database, make_send(team, cost=4)) == ["INSUFFICIENT"]
    figures = await books(database, team.id)
    assert (figures.exhaustions, figures.reason, figures.remaining) == (2, "SHORT", 2)


async def test_repeated_key_does_not_close_a_later_exhaustion(database: Database) -> None:
    team = await make_team(database, credits=0)
    await buy(database, team, 1, key="k")
    assert await send(database, make_send(team)) == ["ACCEPTED"]
    await buy(database, team, 1, key="k")
    assert (await books(database, team.id)).reason == "EXHAUSTED"


async def test_removal_opens_no_exhaustion_before_a_text_is_refused(database: Database) -> None:
    team = await make_team(database, credits=5)
    [purchase] = await rows(database, "select id from credit_purchase")
    await remove(database, team.superadmin, purchase.id)
    assert (await books(database, team.id)).exhaustions == 0
    assert await send(database, make_send(team)) == ["INSUFFICIENT"]
    figures = await books(database, team.id)
    assert (figures.reason, figures.remaining, figures.required) == ("EXHAUSTED", 0, 1)


# Removing


async def test_removing_takes_the_amount_even_below_zero(database: Database) -> None:
    team = await make_team(database, credits=500)
    [purchase] = await rows(database, "select id from credit_purchase")
    assert await send(database, make_send(team, cost=300)) == ["ACCEPTED"]
    removed = await remove(database, team.superadmin, purchase.id)
    assert (removed.id, removed.amount) == (purchase.id, 500)
    assert (removed.removed_by, removed.removed_by_name) == (
        team.superadmin.user_id,
        "Sam Superadmin",
    )
    assert removed.removed_at is not None and removed.removed_at >= removed.created_at
    figures = await books(database, team.id)
    assert (figures.balance, figures.purchased, figures.spent) == (-300, 0, 300)
    entry = (await rows(database, "select * from credit_entry order by id"))[-1]
    assert (entry.kind, entry.amount, entry.balance_after, entry.actor_id) == (
        "REMOVAL",
        -500,
        -300,
        team.superadmin.user_id,
    )


async def test_remaining_is_purchased_minus_used_at_every_step(database: Database) -> None:
    team = await make_team(database, credits=0)

    async def figures() -> tuple[int, int, int]:
        found = await books(database, team.id)
        assert found.balance == found.purchased - found.spent
        return found.balance, found.purchased, found.spent

    first, second = [(await buy(database, team, amount)).id for amount in (7, 5)]
    assert await figures() == (12, 12, 0)
    await send(database, make_send(team, cost=9))
    assert await figures() == (3, 12, 9)
    await remove(database, team.superadmin, first)
    assert await figures() == (-4, 5, 9)
    await send(database, make_send(team, cost=2, forced=True))
    assert await figures() == (-6, 5, 11)
    await remove(database, team.superadmin, second)
    assert await figures() == (-11, 0, 11)
    await buy(database, team, 20)
    assert await figures() == (9, 20, 11)


async def test_unknown_purchase_is_not_found(database: Database, team: Team) -> None:
    for unknown in (0, -1, 2**62):
        await assert_refused(
            database,
            remove(database, team.superadmin, unknown),
            NotFound,
            "There is no such credit purchase.",
        )


async def test_removing_again_is_refused(database: Database, team: Team) -> None:
    purchase = await buy(database, team)
    await remove(database, team.superadmin, purchase.id)
    await assert_refused(
        database,
        remove(database, team.superadmin, purchase.id),
        PurchaseAlreadyRemoved,
        "This credit purchase has already been removed.",
    )


# Turning on and off


async def set_enabled(database: Database, actor: Actor, team_id: int, enabled: bool) -> None:
    async with database.sessions() as session, session.begin():
        await set_credits_enabled(session, actor, team_id=team_id, enabled=enabled)


@pytest.mark.parametrize("enabled", [True, False])
async def test_others_than_owners_cannot_switch(database: Database, enabled: bool) -> None:
    team = await make_team(database)
    await switch(database, team, enabled=not enabled)
    for role in {None, *Role} - {Role.OWNER}:
        actor = await make_member(database, team.id, role)
        await assert_refused(database, set_enabled(database, actor, team.id, enabled), Forbidden)


async def test_owner_and_superadmin_switch_at_once(database: Database, team: Team) -> None:
    owner = await make_member(database, team.id, Role.OWNER)
    await set_enabled(database, owner, team.id, True)
    assert await send(database, make_send(team)) == ["INSUFFICIENT"]
    await set_enabled(database, team.superadmin, team.id, False)
    assert await send(database, make_send(team)) == ["ACCEPTED"]
    switches = await rows(database, "select * from credit_switch order by id")
    assert [(s.enabled, s.remaining, s.switched_by) for s in switches] == [
        (True, 0, owner.user_id),
        (False, 0, team.superadmin.user_id),
    ]


async def test_owner_of_another_team_cannot_switch(database: Database, team: Team) -> None:
    other = await make_team(database)
    stranger = await make_member(database, other.id, Role.OWNER)
    await assert_refused(database, set_enabled(database, stranger, team.id, True), Forbidden)


async def test_switching_an_unknown_team_is_not_found(database: Database, team: Team) -> None:
    unknown = set_enabled(database, team.superadmin, team.id + 1, True)
    await assert_refused(database, unknown, NotFound, "There is no such team.")


@pytest.mark.parametrize(
    ("bought", "spent", "is_removed", "remaining"),
    [(0, 0, False, 0), (3, 2, False, 1), (3, 3, False, 0), (3, 2, True, -2)],
    ids=["never-bought", "something-left", "used-up", "below-zero"],
)
async def test_set_up_mail_is_wanted_only_if_nothing_remains(
    database: Database, team: Team, bought: int, spent: int, is_removed: bool, remaining: int
) -> None:
    if bought:
        purchase_id = await add(database, team, bought)
        await switch(database, team, enabled=True)
        assert await send(database, make_send(team, cost=spent)) == ["ACCEPTED"]
        await switch(database, team, enabled=False)
        if is_removed:
            await remove(database, team.superadmin, purchase_id)
    assert await rows(database, SET_UP_MAILS) == []
    await switch(database, team, enabled=True)
    wanted = [(team.id, remaining)] if remaining <= 0 else []
    assert await rows(database, SET_UP_MAILS) == wanted


@pytest.mark.parametrize("enabled", [True, False])
async def test_switching_to_the_same_state_writes_nothing(
    database: Database, enabled: bool
) -> None:
    team = await make_team(database, credits=1)
    assert await send(database, make_send(team, cost=2)) == ["INSUFFICIENT"]
    await switch(database, team, enabled=enabled)
    before = await state(database)
    await switch(database, team, enabled=enabled)
    assert changed_tables(before, await state(database)) == set()


async def test_turning_off_closes_the_exhaustion_and_keeps_the_debits(database: Database) -> None:
    team = await make_team(database, contacts=3, credits=2)
    assert await send(database, make_send(team, cost=2)) == ["ACCEPTED"]
    assert (await books(database, team.id)).reason == "EXHAUSTED"
    await switch(database, team, enabled=False)
    figures = await books(database, team.id)
    assert (figures.exhaustions, figures.reason) == (1, None)
    assert (figures.balance, figures.spent, figures.metered) == (0, 2, 1)
    assert await send(database, make_send(team, 1, cost=3)) == ["ACCEPTED"]
    figures = await books(database, team.id)
    assert (figures.balance, figures.texts, figures.metered, figures.exhaustions) == (0, 2, 1, 1)
    await switch(database, team, enabled=True)
    assert (await books(database, team.id)).reason is None, "only a debit or a refusal opens one"
    assert await send(database, make_send(team, 2)) == ["INSUFFICIENT"]
    assert (await books(database, team.id)).exhaustions == 2


# What the database itself refuses

REMOVED = "(select max(id) from credit_purchase where removed_at is not null)"
KEPT = "(select max(id) from credit_purchase where removed_at is null)"
NEW_ENTRY = """
insert into credit_entry (team_id, kind, amount, balance_after, message_id, purchase_id) values
(%(team)s, {})
"""
NEW_PURCHASE = """
insert into credit_purchase (team_id, purchased_by_name, amount, note) values (%(team)s, 'S', {})
"""
NEW_EXHAUSTION = """
insert into credit_exhaustion (team_id, reason, remaining, required, closed_at) values
(%(team)s, {})
"""
FORBIDDEN_STATEMENTS = {
    "change-entry": ("update credit_entry set amount = amount", "23001"),
    "delete-entry": ("delete from credit_entry", "23001"),
    "truncate-entries": ("truncate credit_entry", "23001"),
    "delete-purchase": ("delete from credit_purchase", "23001"),
    "truncate-purchases": ("truncate credit_purchase", "23001"),
    "truncate-all": ("truncate organization cascade", "23001"),
    "remove-again": (
        f"update credit_purchase set removed_at = now() + interval '1 s' where id = {REMOVED}",
        "23001",
    ),
    "remove-by-another": (
        f"update credit_purchase set removed_by_name = 'Other' where id = {REMOVED}",
        "23001",
    ),
    "un-remove": (
        "update credit_purchase set removed_at = null, removed_by_name = null"
        f" where id = {REMOVED}",
        "23001",
    ),
    "remove-by-nobody": (
        f"update credit_purchase set removed_at = now() where id = {KEPT}",
        "23514",
    ),
    **{
        f"change-{column}": (f"update credit_purchase set {column} = {new} where id = {KEPT}", code)
        for column, new, code in (
            ("id", "default", "23001"),
            ("amount", "amount + 1", "23001"),
            ("note", "'other'", "23001"),
            ("team_id", "%(other)s", "23001"),
            ("purchased_by_name", "'Other'", "23001"),
            ("idempotency_key", "'other'", "23001"),
            ("created_at", "now()", "23001"),
        )
    },
    "purchase-of-0": (NEW_PURCHASE.format("0, null"), "23514"),
    "purchase-of-less": (NEW_PURCHASE.format("-1, null"), "23514"),
    "empty-note": (NEW_PURCHASE.format("1, ''"), "23514"),
    "purchase-of-no-team": (
        "insert into credit_purchase (team_id, purchased_by_name, amount) values (0, 'S', 1)",
        "23503",
    ),
    "second-open-exhaustion": (NEW_EXHAUSTION.format("'EXHAUSTED', 0, 1, null"), "23505"),
    "exhausted-with-credits": (NEW_EXHAUSTION.format("'EXHAUSTED', 1, 2, now()"), "23514"),
    "short-of-nothing": (NEW_EXHAUSTION.format("'SHORT', 0, 2, now()"), "23514"),
    "short-of-enough": (NEW_EXHAUSTION.format("'SHORT', 2, 2, now()"), "23514"),
    "unknown-reason": (NEW_EXHAUSTION.format("'TIRED', 0, 2, now()"), "23514"),
    "adding-send": (NEW_ENTRY.format("'SEND', 1, 1, 99, null"), "23514"),
    "free-send": (NEW_ENTRY.format("'SEND', 0, 0, 99, null"), "23514"),
    "send-without-message": (NEW_ENTRY.format("'SEND', -1, 0, null, null"), "23514"),
    "send-of-a-purchase": (NEW_ENTRY.format("'SEND', -1, 0, null, 99"), "23514"),
    "second-send": (
        NEW_ENTRY.format("'SEND', -1, 0, (select max(message_id) from outbound_text), null"),
        "23505",
    ),
    "taking-purchase": (NEW_ENTRY.format("'PURCHASE', -1, 0, null, 99"), "23514"),
    "purchase-entry-of-0": (NEW_ENTRY.format("'PURCHASE', 0, 0, null, 99"), "23514"),
    "purchase-of-a-message": (NEW_ENTRY.format("'PURCHASE', 1, 0, 99, null"), "23514"),
    "second-purchase-entry": (NEW_ENTRY.format(f"'PURCHASE', 1, 0, null, {KEPT}"), "23505"),
    "second-removal-entry": (NEW_ENTRY.format(f"'REMOVAL', -1, 0, null, {REMOVED}"), "23505"),
    "adding-removal": (NEW_ENTRY.format("'REMOVAL', 1, 0, null, 99"), "23514"),
    "taking-give-back": (NEW_ENTRY.format("'GIVE_BACK', -1, 0, 99, null"), "23514"),
    "settlement-of-nothing": (NEW_ENTRY.format("'SETTLEMENT', 0, 0, 99, null"), "23514"),
    "unknown-kind": (NEW_ENTRY.format("'GIFT', 1, 1, 99, null"), "23514"),
}


async def test_database_refuses_what_would_falsify_the_books(database: Database) -> None:
    team = await make_team(database, credits=3)
    other = await make_team(database)
    [purchase] = await rows(database, "select id from credit_purchase")
    await add(database, team, 1)
    await send(database, make_send(team, cost=1))
    await remove(database, team.superadmin, purchase.id)
    assert await send(database, make_send(team)) == ["INSUFFICIENT"]
    before = await state(database)
    outcomes = {}
    for name, (statement, _) in FORBIDDEN_STATEMENTS.items():
        try:
            await rows(database, statement, **team.names, other=other.id)
            outcomes[name] = "done"
        except psycopg.Error as error:
            outcomes[name] = error.sqlstate or "?"
    assert outcomes == {name: code for name, (_, code) in FORBIDDEN_STATEMENTS.items()}
    assert changed_tables(before, await state(database)) == set()
    await books(database, team.id)


@pytest.mark.parametrize(
    "statement",
    [
        "update credit_account set balance = balance + 1",
        "update credit_account set purchased = purchased + 1",
        "update credit_entry set balance_after = 7 where kind = 'SEND'",
        "delete from credit_entry where kind = 'SEND'",
        "delete from credit_purchase",
        "update credit_purchase set removed_at = now(), removed_by_name = ''",
    ],
)
async def test_verification_finds_what_somebody_falsified_around_the_guards(
    database: Database, statement: str
) -> None:
    team, honest = [await make_team(database, credits=5) for _ in range(2)]
    await send(database, make_send(team), make_send(honest))

    async def verified() -> tuple[int, int, list[int]]:
        async with database.sessions() as session:
            found = await verify_credits(session)
            return found.teams, found.entries, [drift.team_id for drift in found.drifts]

    assert await verified() == (2, 4, [])
    for table in ("credit_entry", "credit_purchase"):
        await rows(database, f"alter table {table} disable trigger user")
    where = " and" if " where " in statement else " where"
    await rows(database, f"{statement}{where} team_id = %(team)s", team=team.id)
    assert (await verified())[2] == [team.id]
    with pytest.raises(AssertionError):
        await books(database, team.id)


# Races


async def test_removal_raced_by_many_happens_once(
    database: Database, crowd: Database, team: Team
) -> None:
    purchase = await buy(database, team, 10)
    removals = [remove(crowd, team.superadmin, purchase.id) for _ in range(8)]
    outcomes = await held_back(database, removals, LOCK_ACCOUNT, team=team.id)
    won = [o for o in outcomes if isinstance(o, CreditPurchase)]
    lost = [o for o in outcomes if isinstance(o, PurchaseAlreadyRemoved)]
    assert (len(won), len(lost)) == (1, 7), outcomes
    figures = await books(database, team.id)
    assert (figures.balance, figures.purchased) == (0, 0)


async def test_keyed_addition_raced_by_many_is_booked_once(
    database: Database, crowd: Database
) -> None:
    team = await make_team(database, credits=1)
    additions = [buy(crowd, team, 10, key="k") for _ in range(8)]
    outcomes = await held_back(database, additions, LOCK_ACCOUNT, team=team.id)
    purchases = [o for o in outcomes if isinstance(o, CreditPurchase)]
    assert len(purchases) == 8, outcomes
    assert len({purchase.id for purchase in purchases}) == 1
    assert (await books(database, team.id)).balance == 11


async def test_key_raced_by_two_teams_goes_to_one(database: Database, crowd: Database) -> None:
    teams = [await make_team(database, credits=1) for _ in range(2)]
    additions = [buy(crowd, team, 10, key="k") for team in teams * 4]
    outcomes = await held_back(database, additions, "lock table credit_account in exclusive mode")
    purchases = [o for o in outcomes if isinstance(o, CreditPurchase)]
    assert len({purchase.id for purchase in purchases}) == 1, outcomes
    assert len(purchases) == 4
    assert [type(o) for o in outcomes if not isinstance(o, CreditPurchase)] == [InvalidInput] * 4
    balances = [(await books(database, team.id)).balance for team in teams]
    assert sorted(balances) == [1, 11]


async def test_key_is_free_again_when_the_first_addition_fails(
    database: Database, crowd: Database
) -> None:
    """The second waits for the first, which rolls back."""
    team = await make_team(database, credits=1)
    async with database.sessions() as session, session.begin() as transaction:
        await add_credits(session, SETTINGS, team.superadmin, team_id=team.id, amount=10, key="k")
        second = asyncio.create_task(buy(crowd, team, 10, key="k"))
        await until_waiting(database, 1)
        await transaction.rollback()
    assert (await second).amount == 10
    assert (await books(database, team.id)).balance == 11


async def test_balance_read_earlier_in_the_session_is_not_trusted(database: Database) -> None:
    team = await make_team(database, credits=5)
    async with database.sessions() as session, session.begin():
        account = await session.get_one(CreditAccount, team.id)
        assert await send(database, make_send(team, cost=2)) == ["ACCEPTED"]
        await add_credits(session, SETTINGS, team.superadmin, team_id=team.id, amount=10)
        assert account.balance == 13
    assert (await books(database, team.id)).balance == 13


async def test_first_additions_race_for_the_account(
    database: Database, crowd: Database, team: Team
) -> None:
    """None of them finds an account, and none may lock in vain."""
    assert await rows(database, "select from credit_account") == []
    additions = [buy(crowd, team, amount) for amount in range(1, 17)]
    outcomes = await held_back(
        database, additions, "lock table credit_account in access exclusive mode"
    )
    assert len({o.id for o in outcomes if isinstance(o, CreditPurchase)}) == 16, outcomes
    assert (await books(database, team.id)).balance == sum(range(1, 17))


async def test_switching_raced_by_many_is_remembered_once(
    database: Database, crowd: Database
) -> None:
    team = await make_team(database, credits=1)
    switches = [switch(crowd, team, enabled=False) for _ in range(8)]
    assert await held_back(database, switches, LOCK_ACCOUNT, team=team.id) == [None] * 8
    assert await value(database, "select count(*) from credit_switch where not enabled") == 1


async def test_exhaustion_is_opened_once_by_many_refused_senders(
    database: Database, crowd: Database
) -> None:
    team = await make_team(database, contacts=32, credits=1)
    sends = [send(crowd, make_send(team, n, cost=2)) for n in range(32)]
    outcomes = await held_back(database, sends, LOCK_ACCOUNT, team=team.id)
    assert outcomes == [["INSUFFICIENT"]] * 32
    figures = await books(database, team.id)
    assert (figures.exhaustions, figures.reason, figures.texts) == (1, "SHORT", 0)


async def test_every_refused_sender_is_told_and_one_exhaustion_opens(
    database: Database, crowd: Database, settings: Settings
) -> None:
    team = await make_team(database, contacts=32, credits=0)
    writer = SendWriter(crowd.pool, settings)

    async def text(contact_id: int) -> int:
        draft = make_draft(
            team.texter, contact_id=contact_id, text="Hi!", assignment_id=team.assignment_id
        )
        return await send_message(writer, settings, team.texter, draft)

    crowd_of_texters = [text(contact_id) for contact_id in team.contact_ids]
    outcomes = await asyncio.gather(*crowd_of_texters, return_exceptions=True)
    assert [type(o) for o in outcomes] == [InsufficientCredits] * 32
    assert (await books(database, team.id)).exhaustions == 1


@pytest.mark.long
async def test_additions_removals_and_switches_amid_sends_keep_the_books_exact(
    database: Database, crowd: Database
) -> None:
    team = await make_team(database, contacts=16, credits=10)
    accepted = 0

    async def texter(position: int) -> None:
        nonlocal accepted
        for attempt in range(25):
            outcome = await send(crowd, make_send(team, position, cost=attempt % 3 + 1))
            accepted += outcome == ["ACCEPTED"]

    async def superadmin(amount: int) -> None:
        for number in range(10):
            purchase = await buy(crowd, team, amount + number)
            if number % 3 == 0:
                await remove(crowd, team.superadmin, purchase.id)

    async def owner() -> None:
        for _ in range(10):
            await switch(crowd, team, enabled=False)
            await switch(crowd, team, enabled=True)

    await asyncio.gather(
        *(texter(position) for position in range(16)),
        *(superadmin(amount) for amount in (1, 2, 5)),
        owner(),
    )
    figures = await books(database, team.id)
    assert figures.texts == accepted
    assert 0 < figures.metered < figures.texts, "some were sent while credits were off"
    kept = [n for n in range(10) if n % 3]
    assert figures.purchased == 10 + sum(amount + n for amount in (1, 2, 5) for n in kept)
    assert figures.balance == figures.purchased - figures.spent
