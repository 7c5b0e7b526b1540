import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.database import Database, open_database
from services.access import Actor, Role
from services.errors import (
    AssignmentChanged,
    AssignmentOfAnother,
    Conflict,
    ContactOptedOut,
    Forbidden,
    InsufficientCredits,
    InvalidInput,
    MessageTooLong,
    MonthlyLimitExceeded,
    NotFound,
    OutcomeUnknown,
    OutsideTextingHours,
    SenderSuspended,
    ServiceError,
)
from services.send_facts import ContactFacts
from services.send_writer import SendWriter
from services.sending import (
    make_draft,
    require_sendable_now,
    send_before,
    send_message,
    within_texting_hours,
)
from services.settings import CreditsVisibleTo, Settings, load_settings
from tests.world import (
    SETTINGS,
    Team,
    add,
    books,
    changed_tables,
    held_back,
    holding,
    make_member,
    make_team,
    of_cost,
    rows,
    state,
    switch,
    until_waiting,
    value,
)

LOCK_ACCOUNT = "select from credit_account where team_id = %(team)s for update"
LOCK_CONTACT = "select from campaign_contact where id = %(contact)s for update"
UNASSIGN = "update campaign_contact set assignment_id = null"
KEY_OF_ANOTHER = "This idempotency key was used for another text or contact."
GENEROUS_SECONDS = 20
NOBODY = Actor(0, "", is_superadmin=False)


async def send(
    database: Database,
    team: Team,
    text: str | None = "Hi!",
    *,
    actor: Actor | None = None,
    settings: Settings | None = None,
    writer: SendWriter | None = None,
    **draft: Any,
) -> int:
    """To the team's first contact by its texter, unless said otherwise.

    Without `writer` as by a server of its own. Whatever is locked meanwhile, the answer must come.
    """
    settings, actor = settings or SETTINGS, actor or team.texter
    wish = {"contact_id": team.contact_ids[0], "assignment_id": team.assignment_id} | draft
    writer = writer or SendWriter(database.pool, settings)
    async with asyncio.timeout(GENEROUS_SECONDS):
        return await send_message(writer, settings, actor, make_draft(actor, text=text, **wish))


async def assert_refused(
    database: Database,
    action: Awaitable[Any],
    error: type[ServiceError],
    *,
    code: str = "",
    sentence: str = "",
    changes: frozenset[str] = frozenset(),
) -> ServiceError:
    """`changes`: the tables in which the refusal leaves something behind."""
    before = await state(database)
    with pytest.raises(ServiceError) as caught:
        await action
    assert type(caught.value) is error, repr(caught.value)
    assert not code or caught.value.extensions["code"] == code
    assert not sentence or str(caught.value) == sentence
    assert changed_tables(before, await state(database)) == changes
    return caught.value


@pytest.fixture
async def team(database: Database) -> Team:
    """Has never used credits."""
    return await make_team(database, contacts=2)


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """Connections of its own for many who send at once."""
    async with open_database(database_url, send_pool_size=16) as database:
        yield database


# What is accepted


async def test_message_row_is_as_spoke_writes_it(database: Database) -> None:
    team = await make_team(database, credits=10)
    started = datetime.now(UTC)
    answer = await send(
        database,
        team,
        "It’s on ‘Saturday’!" + "x" * 150,
        contact_number=team.cells[0],
        version_hash="abc",
        campaign_variable_ids=(3, 5),
        key="k",
    )
    assert answer == team.contact_ids[0]
    [message] = await rows(database, "select * from message")
    assert message.text == "It's on 'Saturday'!" + "x" * 150
    assert (message.user_id, message.assignment_id) == (team.texter.user_id, team.assignment_id)
    assert (message.campaign_contact_id, message.contact_number) == (answer, team.cells[0])
    assert (message.is_from_contact, message.service, message.service_id) == (
        False,
        "fakeservice",
        "",
    )
    assert (message.send_status, message.error_codes) == ("SENDING", None)
    assert (message.num_segments, message.num_media) == (2, 0)
    assert (message.script_version_hash, message.campaign_variable_ids) == ("abc", [3, 5])
    assert message.created_at >= started
    assert timedelta(0) <= message.send_before - timedelta(days=1) - started < timedelta(minutes=1)
    [queued] = await rows(database, "select * from outbound_text")
    assert (queued.message_id, queued.team_id, queued.user_id) == (
        message.id,
        team.id,
        team.texter.user_id,
    )
    assert (queued.state, queued.idempotency_key, queued.fence) == ("QUEUED", "k", 0)
    [entry] = await rows(database, "select * from credit_entry where kind = 'SEND'")
    assert (entry.amount, entry.balance_after, entry.message_id) == (-2, 8, message.id)


async def test_optional_parts_of_a_message_may_be_absent(database: Database, team: Team) -> None:
    await send(database, team)
    [message] = await rows(database, "select * from message")
    assert (message.script_version_hash, message.campaign_variable_ids) == (None, [])
    assert await rows(database, "select idempotency_key, fingerprint from outbound_text") == [
        (None, None)
    ]


async def test_send_before_is_the_end_of_the_texting_hours(database: Database) -> None:
    """Whatever the time is, somewhere it is noon: the contact is there."""
    team = await make_team(database, hours=(9, 21))
    now = datetime.now(UTC)
    offset = 12 - now.hour
    await rows(
        database,
        "update campaign_contact set timezone = %(zone)s",
        zone=f"Etc/GMT{-offset:+d}",
    )
    await send(database, team)
    noon = now.replace(minute=0, second=0, microsecond=0)
    assert await value(database, "select send_before from message") in (
        noon + timedelta(hours=9),
        noon + timedelta(hours=10),  # the hour changed meanwhile
    )


async def test_message_status_of_the_contact_moves_on(database: Database) -> None:
    moves = {
        "needsMessage": "messaged",
        "messaged": "messaged",
        "needsResponse": "convo",
        "convo": "convo",
        "closed": "convo",
        "UPDATING": "convo",
    }
    team = await make_team(database, contacts=len(moves) + 1)
    for contact_id, status in zip(team.contact_ids, moves, strict=False):
        await rows(
            database,
            "update campaign_contact set message_status = %(status)s where id = %(id)s",
            status=status,
            id=contact_id,
        )
        await send(database, team, contact_id=contact_id)
    found = await rows(database, "select message_status from campaign_contact order by id")
    assert [row.message_status for row in found] == [*moves.values(), "needsMessage"]


COSTS = {
    "one segment": ("x" * 160, 1, 1, 0),
    "two segments": ("x" * 161, 2, 2, 0),
    "apostrophes, replaced first": ("’" * 160, 1, 1, 0),
    "UCS-2": ("ł" * 70, 1, 1, 0),
    "two segments of UCS-2": ("ł" * 71, 2, 2, 0),
    "media": ("[http://example.org/a.png]", 4, 1, 1),
    "media with a long text": ("x" * 1000 + "[ https://example.org/a.png ]", 4, 1, 1),
    "brackets": ("[see example.org]", 1, 1, 0),
}
"""Texts with their credits, segments and media."""


async def test_cost_is_that_of_the_text_as_it_goes_out(database: Database) -> None:
    team = await make_team(database, credits=100)
    settings = load_settings(mms_credits=4)
    found = {}
    for name, (text, *_) in COSTS.items():
        before = (await books(database, team.id, everybodys=False)).spent
        await send(database, team, text, settings=settings)
        spent = (await books(database, team.id, everybodys=False)).spent - before
        [counted] = await rows(
            database, "select num_segments, num_media from message order by id desc limit 1"
        )
        found[name] = (text, spent, *counted)
    assert found == COSTS


@pytest.mark.parametrize("text", ["x", "[http://example.org/a.png]"])
async def test_without_credits_segments_are_still_counted(database: Database, text: str) -> None:
    never = await make_team(database)
    off = await make_team(database, credits=1)
    await switch(database, off, enabled=False)
    for team in (never, off):
        await send(database, team, text)
        figures = await books(database, team.id)
        assert (figures.texts, figures.metered, figures.spent) == (1, 0, 0)
        assert figures.exhaustions == 0
    assert await rows(database, "select distinct num_segments from message") == [(1,)]


# What no state of things would allow


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"text": None}, "The text is empty."),
        ({"text": ""}, "The text is empty."),
        ({"text": " \n\t\u00a0"}, "The text is empty."),
        ({"text": "x" * 20_001}, "The text is longer than 20000 characters."),
        ({"text": "a\0b"}, "The text contains a NUL character."),
        ({"text": "a\ud83d"}, "The text contains half of a surrogate pair."),
        ({"text": "\ude00\ud83d"}, "The text contains half of a surrogate pair."),
        ({"version_hash": "\0"}, "The version hash contains a NUL character."),
        ({"version_hash": "h" * 256}, "The version hash is longer than 255 characters."),
        ({"campaign_variable_ids": (1,) * 201}, "A text has at most 200 campaign variables."),
        ({"key": ""}, "The idempotency key is empty."),
        ({"key": "  "}, "The idempotency key is empty."),
        ({"key": "k" * 201}, "The idempotency key is longer than 200 characters."),
        ({"key": "\ud83d"}, "The idempotency key contains half of a surrogate pair."),
    ],
    ids=lambda case: ascii(case)[:40],
)
def test_malformed_wish_is_refused(wish: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_draft(NOBODY, **dict[str, Any](contact_id=1, text="Hi!") | wish)
    assert str(caught.value) == sentence


def test_draft_keeps_blanks_and_replaces_curly_apostrophes_only() -> None:
    draft = make_draft(NOBODY, contact_id=1, text=" ‘a’ “b” ´c` \n")
    assert draft.text == " 'a' “b” ´c` \n"


# The checks, in their order


@dataclass(frozen=True)
class Violation:
    """A state of things, or a wish, that is refused. `sql` may name what Team.names has."""

    error: type[ServiceError]
    code: str
    sentence: str
    sql: str = ""
    wish: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    changes: frozenset[str] = frozenset()


def not_found(sql: str, **wish: Any) -> Violation:
    sentence = "There is no such contact in an active campaign."
    return Violation(NotFound, "NOT_FOUND", sentence, sql, wish)


def opted_out(sql: str, **settings: Any) -> Violation:
    sentence = "Skipped sending because this contact was already opted out"
    closed = frozenset({"campaign_contact"})
    return Violation(
        ContactOptedOut, "CONTACT_OPTED_OUT", sentence, sql, settings=settings, changes=closed
    )


def assignment_changed(sql: str, **wish: Any) -> Violation:
    return Violation(
        AssignmentChanged, "ASSIGNMENT_CHANGED", "Your assignment has changed", sql, wish
    )


def outside_hours(sql: str) -> Violation:
    sentence = "Outside permitted texting time for this recipient"
    return Violation(OutsideTextingHours, "OUTSIDE_TEXTING_HOURS", sentence, sql)


def insufficient(sql: str, changes: frozenset[str]) -> Violation:
    return Violation(
        InsufficientCredits, "INSUFFICIENT_CREDITS", "Insufficient Credits", sql, changes=changes
    )


GIVE_TO_ANOTHER = """
with other as (
  insert into "user" (auth0_id, first_name, last_name, cell, email)
  values ('', 'Tomoko', 'Texter', '', gen_random_uuid() || '@example.org') returning id
)
update assignment set user_id = other.id from other where assignment.id = %(assignment)s
"""
OPT_OUT = "insert into opt_out (cell, organization_id) select cell, {} from campaign_contact"
ELSEWHERE = "insert into organization (name) values ('Other') returning id"
USED_UP = "insert into credit_account (team_id, enabled) values (%(team)s, true);"
OPEN_EXHAUSTION = """
insert into credit_exhaustion (team_id, reason, remaining) values (%(team)s, 'EXHAUSTED', 0)
"""

VIOLATIONS = {
    "contact-archived": not_found("update campaign_contact set archived = true"),
    "no-membership": Violation(
        Forbidden,
        "FORBIDDEN",
        "You are not authorized to access that resource.",
        "delete from user_organization where user_id = %(texter)s",
    ),
    "suspended": Violation(
        SenderSuspended,
        "SENDER_SUSPENDED",
        "You don't have the permission to send messages",
        "update user_organization set role = 'SUSPENDED' where user_id = %(texter)s",
    ),
    "monthly-limit": Violation(
        MonthlyLimitExceeded,
        "MONTHLY_LIMIT_EXCEEDED",
        "Monthly message limit exceeded",
        """
        with limited as (
          update organization set monthly_message_limit = 5 where id = %(team)s returning id
        )
        insert into monthly_organization_message_usages (month, organization_id, sent_message_count)
        select date_trunc('month', now() at time zone 'UTC')::date, id, 6 from limited
        """,
        settings={"enable_monthly_org_message_limits": True},
    ),
    "assignment-changed": assignment_changed("", assignment_id=2**31 - 1),
    "assigned-to-another": Violation(
        AssignmentOfAnother,
        "FORBIDDEN",
        "You are not authorized to send a message for this assignment!",
        GIVE_TO_ANOTHER,
    ),
    "opted-out": opted_out("update campaign_contact set is_opted_out = true"),
    "outside-hours": outside_hours(
        "update all_campaign set texting_hours_start = 5, texting_hours_end = 5"
        " where id = %(campaign)s"
    ),
    "too-long": Violation(
        MessageTooLong,
        "MESSAGE_TOO_LONG",
        "Message was longer than the limit",
        settings={"max_message_length": 2},
    ),
    "another-number": Violation(
        InvalidInput,
        "BAD_USER_INPUT",
        "That is not this contact's number.",
        wish={"contact_number": "+12025559999"},
    ),
    "no-credits": insufficient(USED_UP, frozenset({"credit_exhaustion"})),
}
"""One for each check, in the order of the checks."""

VARIANTS = {
    "no-such-contact": not_found("", contact_id=2**31 - 1),
    "campaign-archived": not_found("update all_campaign set is_archived = true"),
    "campaign-archived-but-not-its-contacts": not_found(
        "update all_campaign set is_archived = true; update campaign_contact set archived = false"
    ),
    "campaign-is-a-template": not_found("update all_campaign set is_template = true"),
    "member-of-another-team": Violation(
        Forbidden,
        "FORBIDDEN",
        "You are not authorized to access that resource.",
        f"with other as ({ELSEWHERE})"
        " update user_organization set organization_id = other.id from other",
    ),
    "taken-from-the-texter": assignment_changed(UNASSIGN),
    "assigned-meanwhile": assignment_changed("", assignment_id=None),
    "opted-out-of-the-team": opted_out(OPT_OUT.format("%(team)s")),
    "opted-out-of-another-team": opted_out(
        f"with other as ({ELSEWHERE}) {OPT_OUT.format('(select id from other)')}",
        optouts_share_all_orgs=True,
    ),
    "opted-out-of-the-only-team": opted_out(
        OPT_OUT.format("%(team)s"), optouts_share_all_orgs=True
    ),
    "hours-backwards": outside_hours(
        "update all_campaign set texting_hours_start = 21, texting_hours_end = 9"
    ),
    "hours-without-a-zone": outside_hours(
        "update all_campaign set texting_hours_end = 23, timezone = null"
    ),
    "no-credits-and-known": insufficient(f"{USED_UP} {OPEN_EXHAUSTION}", frozenset()),
    "below-zero": insufficient(
        f"{USED_UP} update credit_account set balance = -300", frozenset({"credit_exhaustion"})
    ),
}


async def violate(
    database: Database, team: Team, *violations: Violation, **wish: Any
) -> Awaitable[int]:
    """The send that is refused, when it is awaited."""
    settings: dict[str, Any] = {}
    for violation in violations:
        for statement in filter(str.strip, violation.sql.split(";")):
            await rows(database, statement, **team.names)
        wish |= violation.wish
        settings |= violation.settings
    return send(database, team, settings=load_settings(**settings), **wish)


@pytest.mark.parametrize("name", [*VIOLATIONS, *VARIANTS])
async def test_each_check_refuses_and_leaves_nothing_else(
    database: Database, team: Team, name: str
) -> None:
    violation = (VIOLATIONS | VARIANTS)[name]
    attempt = await violate(database, team, violation)
    await assert_refused(
        database,
        attempt,
        violation.error,
        code=violation.code,
        sentence=violation.sentence,
        changes=violation.changes,
    )
    is_closed = violation.error is ContactOptedOut
    statuses = await rows(database, "select message_status from campaign_contact order by id")
    assert statuses == [("closed" if is_closed else "needsMessage",), ("needsMessage",)]


async def test_of_two_violations_the_earlier_check_speaks(database: Database) -> None:
    wrong = {}
    for (first, one), (second, other) in itertools.combinations(VIOLATIONS.items(), 2):
        team = await make_team(database)
        attempt = await violate(database, team, one, other)
        try:
            await attempt
            error = None
        except ServiceError as refusal:
            error = type(refusal)
        [left] = await rows(
            database,
            "select message_status = 'closed' as closed, (select count(*) from message) as sent,"
            " (select count(*) from credit_exhaustion where team_id = %(team)s) as exhaustions"
            " from campaign_contact where id = %(contact)s",
            **team.names,
        )
        if (error, *left) != (one.error, one.error is ContactOptedOut, 0, 0):
            wrong[first, second] = (error, *left)
    assert wrong == {}


async def test_closing_an_opted_out_contact_spares_other_contacts(
    database: Database, team: Team
) -> None:
    await rows(
        database,
        "insert into opt_out (cell, organization_id) values (%(cell)s, %(team)s)",
        cell=team.cells[0],
        team=team.id,
    )
    with pytest.raises(ContactOptedOut):
        await send(database, team)
    assert await send(database, team, contact_id=team.contact_ids[1]) == team.contact_ids[1]


@pytest.mark.parametrize("share", [False, True])
async def test_opt_out_of_another_team_counts_if_they_are_shared(
    database: Database, team: Team, share: bool
) -> None:
    other = await make_team(database)
    assert other.cells[0] == team.cells[0]
    await rows(database, OPT_OUT.format("%(team)s") + " where id = %(contact)s", **other.names)
    attempt = send(database, team, settings=load_settings(optouts_share_all_orgs=share))
    if share:
        with pytest.raises(ContactOptedOut):
            await attempt
    else:
        assert await attempt == team.contact_ids[0]


@pytest.mark.parametrize(
    ("role", "is_allowed"),
    [
        (Role.TEXTER, False),
        (Role.SUPERVOLUNTEER, True),
        (Role.ADMIN, True),
        (Role.OWNER, True),
    ],
)
async def test_contact_of_another_may_be_texted_from_supervolunteer_up(
    database: Database, team: Team, role: Role, is_allowed: bool
) -> None:
    actor = await make_member(database, team.id, role)
    if not is_allowed:
        await assert_refused(database, send(database, team, actor=actor), AssignmentOfAnother)
        return
    await send(database, team, actor=actor)
    sent = await rows(database, "select user_id, assignment_id from message")
    assert sent == [(actor.user_id, team.assignment_id)]
    assert await value(database, "select user_id from outbound_text") == actor.user_id


async def test_superadmin_power_alone_texts_nobody(database: Database, team: Team) -> None:
    attempt = send(database, team, actor=team.superadmin)
    await assert_refused(database, attempt, Forbidden)
    await rows(
        database,
        "insert into user_organization (user_id, organization_id, role)"
        " values (%(superadmin)s, %(team)s, 'TEXTER')",
        **team.names,
    )
    attempt = send(database, team, actor=team.superadmin)
    await assert_refused(database, attempt, AssignmentOfAnother)


@pytest.mark.parametrize(
    ("limit", "sent", "months_ago", "status", "enabled", "is_allowed"),
    [
        (5, 5, 0, "needsMessage", True, True),
        (5, 6, 0, "needsMessage", True, False),
        (0, 1, 0, "needsMessage", True, False),
        (5, 6, 0, "needsMessage", False, True),
        (5, 6, 0, "needsResponse", True, True),
        (5, 6, 0, "messaged", True, True),
        (5, 6, 1, "needsMessage", True, True),
        (5, None, 0, "needsMessage", True, True),
        (None, 6, 0, "needsMessage", True, True),
    ],
    ids=[
        "at-the-limit",
        "beyond",
        "beyond-none",
        "not-enabled",
        "reply",
        "second-text",
        "last-month",
        "never-counted",
        "no-limit",
    ],
)
async def test_monthly_limit_stops_first_texts_beyond_it(
    database: Database,
    team: Team,
    limit: int | None,
    sent: int | None,
    months_ago: int,
    status: str,
    enabled: bool,
    is_allowed: bool,
) -> None:
    for statement in (
        "update organization set monthly_message_limit = %(limit)s",
        "update campaign_contact set message_status = %(status)s",
        "insert into monthly_organization_message_usages (month, organization_id,"
        " sent_message_count) values (date_trunc('month', now() at time zone 'UTC')::date"
        " - make_interval(months => %(ago)s), %(team)s, %(sent)s)",
    ):
        await rows(
            database,
            statement,
            **{"limit": limit, "status": status, "ago": months_ago, "team": team.id, "sent": sent},
        )
    settings = load_settings(enable_monthly_org_message_limits=enabled)
    attempt = send(database, team, settings=settings)
    if is_allowed:
        assert await attempt == team.contact_ids[0]
    else:
        await assert_refused(database, attempt, MonthlyLimitExceeded)


async def test_no_monthly_usage_yet_is_no_limit_reached(database: Database, team: Team) -> None:
    await rows(database, "update organization set monthly_message_limit = 0")
    await send(database, team, settings=load_settings(enable_monthly_org_message_limits=True))


# Texting hours

NEW_YORK, LOS_ANGELES, KOLKATA = "America/New_York", "America/Los_Angeles", "Asia/Kolkata"


def facts(
    hours: tuple[int, int] = (0, 24),
    contact_timezone: str | None = None,
    campaign_timezone: str | None = NEW_YORK,
) -> ContactFacts:
    return ContactFacts(
        contact_id=1,
        campaign_id=1,
        team_id=1,
        cell="+12025550000",
        message_status="needsMessage",
        contact_timezone=contact_timezone,
        contact_assignment_id=1,
        assigned_user_id=1,
        campaign_timezone=campaign_timezone,
        texting_hours_start=hours[0],
        texting_hours_end=hours[1],
        role="TEXTER",
        is_opted_out=False,
        monthly_limit=None,
        monthly_sent=None,
        credits_enabled=False,
        balance=0,
        exhaustion_open=False,
    )


@pytest.mark.parametrize(
    ("hours", "zone", "now", "is_allowed"),
    [
        ((9, 21), NEW_YORK, "2026-11-22T13:59:59.999999Z", False),
        ((9, 21), NEW_YORK, "2026-11-22T14:00Z", True),
        ((9, 21), NEW_YORK, "2026-11-23T01:59:59.999999Z", True),
        ((9, 21), NEW_YORK, "2026-11-23T02:00Z", False),
        ((9, 21), NEW_YORK, "2026-11-23T04:30Z", False),
        ((9, 24), NEW_YORK, "2026-11-23T04:59:59Z", True),
        ((9, 24), NEW_YORK, "2026-11-23T05:00Z", False),
        ((0, 23), NEW_YORK, "2026-11-22T05:00Z", True),
        ((0, 23), NEW_YORK, "2026-11-22T04:00Z", False),
        ((9, 10), KOLKATA, "2026-11-22T03:29Z", False),
        ((9, 10), KOLKATA, "2026-11-22T03:30Z", True),
        ((9, 10), KOLKATA, "2026-11-22T04:30Z", False),
        ((9, 9), NEW_YORK, "2026-11-22T14:00Z", False),
        ((21, 9), NEW_YORK, "2026-11-22T03:00Z", False),
        ((21, 9), NEW_YORK, "2026-11-22T15:00Z", False),
        ((0, 0), NEW_YORK, "2026-11-22T05:00Z", False),
        ((24, 24), NEW_YORK, "2026-11-22T05:00Z", False),
        # The day before the clocks go forward, and that day: 02:00 is 03:00.
        ((9, 21), NEW_YORK, "2026-03-07T13:59Z", False),
        ((9, 21), NEW_YORK, "2026-03-08T12:59Z", False),
        ((9, 21), NEW_YORK, "2026-03-08T13:00Z", True),
        ((2, 3), NEW_YORK, "2026-03-08T06:59:59Z", False),
        ((2, 3), NEW_YORK, "2026-03-08T07:00Z", False),
        # The day they go back: 01:00 to 02:00 comes twice.
        ((1, 2), NEW_YORK, "2026-11-01T04:59:59Z", False),
        ((1, 2), NEW_YORK, "2026-11-01T05:00Z", True),
        ((1, 2), NEW_YORK, "2026-11-01T06:59:59Z", True),
        ((1, 2), NEW_YORK, "2026-11-01T07:00Z", False),
    ],
)
def test_texting_hours_begin_and_end_on_the_hour(
    hours: tuple[int, int], zone: str, now: str, is_allowed: bool
) -> None:
    contact = facts(hours, campaign_timezone=zone)
    assert within_texting_hours(contact, datetime.fromisoformat(now)) is is_allowed


UNKNOWN_ZONES = [None, "", "-5_1", "Mars/Olympus", "../../etc/passwd", "US", "America"]


@pytest.mark.parametrize("zone", UNKNOWN_ZONES)
def test_unknown_zone_of_a_contact_leaves_the_campaigns(zone: str | None) -> None:
    contact = facts((9, 21), zone, NEW_YORK)
    assert within_texting_hours(contact, datetime(2026, 11, 22, 14, tzinfo=UTC))
    assert not within_texting_hours(contact, datetime(2026, 11, 22, 13, tzinfo=UTC))


@pytest.mark.parametrize("zone", UNKNOWN_ZONES)
def test_without_any_zone_only_around_the_clock_passes(zone: str | None) -> None:
    moments = [datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in range(24)]
    assert not any(within_texting_hours(facts((0, 23), zone, zone), now) for now in moments)
    assert all(within_texting_hours(facts((0, 24), zone, zone), now) for now in moments)


def test_zone_of_the_contact_goes_before_the_campaigns() -> None:
    contact = facts((9, 21), LOS_ANGELES, NEW_YORK)
    allowed = [
        hour
        for hour in range(24)
        if within_texting_hours(contact, datetime(2026, 11, 22, hour, tzinfo=UTC))
    ]
    assert allowed == [0, 1, 2, 3, 4, *range(17, 24)]


@pytest.mark.parametrize(
    ("hours", "zone", "now", "expected"),
    [
        ((9, 21), NEW_YORK, "2026-11-22T15:00Z", "2026-11-23T02:00Z"),
        ((9, 21), NEW_YORK, "2026-11-23T01:30Z", "2026-11-23T02:00Z"),
        ((9, 21), KOLKATA, "2026-11-22T20:30Z", "2026-11-23T15:30Z"),
        ((9, 24), NEW_YORK, "2026-11-22T15:00Z", "2026-11-23T05:00Z"),
        ((9, 24), NEW_YORK, "2026-03-07T15:00Z", "2026-03-08T05:00Z"),
        ((9, 24), NEW_YORK, "2026-03-08T15:00Z", "2026-03-09T04:00Z"),
        ((9, 21), NEW_YORK, "2026-03-08T15:00Z", "2026-03-09T01:00Z"),
        ((0, 2), NEW_YORK, "2026-03-08T06:30Z", "2026-03-08T07:00Z"),
        ((0, 3), NEW_YORK, "2026-03-08T06:30Z", "2026-03-08T07:00Z"),
        ((0, 1), NEW_YORK, "2026-11-01T04:30Z", "2026-11-01T05:00Z"),
        ((0, 2), NEW_YORK, "2026-11-01T05:30Z", "2026-11-01T07:00Z"),
        ((0, 2), NEW_YORK, "2026-11-01T06:30Z", "2026-11-01T07:00Z"),
        ((0, 24), NEW_YORK, "2026-11-22T15:00:01Z", "2026-11-23T15:00:01Z"),
        ((0, 24), None, "2026-11-22T15:00:01Z", "2026-11-23T15:00:01Z"),
    ],
)
def test_text_loses_its_permission_when_todays_hours_end(
    hours: tuple[int, int], zone: str | None, now: str, expected: str
) -> None:
    end = send_before(facts(hours, zone, zone), datetime.fromisoformat(now))
    assert end.astimezone(UTC) == datetime.fromisoformat(expected)


@given(
    start=st.integers(0, 23),
    length=st.integers(1, 23),
    zone=st.sampled_from(
        [NEW_YORK, LOS_ANGELES, KOLKATA, "Europe/London", "Africa/Cairo", "Australia/Lord_Howe"]
    ),
    now=st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)),
)
def test_permission_ends_exactly_when_the_hours_do(
    start: int, length: int, zone: str, now: datetime
) -> None:
    contact = facts((start, min(start + length, 24)), zone)
    now = now.replace(tzinfo=UTC)
    if not within_texting_hours(contact, now):
        return
    end = send_before(contact, now)
    assert now < end <= now + timedelta(hours=25)
    assert within_texting_hours(contact, end - timedelta(microseconds=1))
    assert contact.texting_hours_end == 24 or not within_texting_hours(contact, end)


@pytest.mark.parametrize(
    ("text", "limit", "is_allowed"),
    [
        ("x" * 1600, 1600, True),
        ("x" * 1601, 1600, False),
        ("é" * 10, 10, True),
        ("\U0001f44b" * 5, 10, True),
        ("\U0001f44b" * 5 + "x", 10, False),
        (" " * 9 + "xx", 10, False),
        ("’" * 10, 10, True),
    ],
    ids=["limit", "beyond", "letters", "pairs", "pairs-beyond", "blanks-count", "apostrophes"],
)
def test_length_is_limited_in_utf_16_code_units(text: str, limit: int, is_allowed: bool) -> None:
    draft = make_draft(NOBODY, contact_id=1, text=text)
    settings, now = load_settings(max_message_length=limit), datetime.now(UTC)
    if is_allowed:
        require_sendable_now(facts(), draft, settings, now)
    else:
        with pytest.raises(MessageTooLong):
            require_sendable_now(facts(), draft, settings, now)


# Contacts that nobody has


@pytest.fixture
async def joiner(database: Database, team: Team) -> Actor:
    """A texter without an assignment, in a campaign whose contacts nobody has."""
    await rows(database, UNASSIGN)
    return await make_member(database, team.id, Role.TEXTER)


async def test_texting_an_unassigned_contact_makes_an_assignment_for_the_message(
    database: Database, team: Team, joiner: Actor
) -> None:
    for contact_id in team.contact_ids:
        await send(database, team, actor=joiner, contact_id=contact_id, assignment_id=None)
    [made] = await rows(
        database, "select * from assignment where user_id = %(user)s", user=joiner.user_id
    )
    assert made.campaign_id == team.campaign_id
    assert await rows(database, "select assignment_id from message") == [(made.id,)] * 2
    contacts = await rows(database, "select assignment_id, message_status from campaign_contact")
    assert contacts == [(None, "messaged")] * 2


async def test_texting_an_unassigned_contact_finds_the_senders_assignment(
    database: Database, team: Team, joiner: Actor
) -> None:
    await send(database, team, assignment_id=None)
    assert await rows(database, "select assignment_id from message") == [(team.assignment_id,)]
    assert await value(database, "select count(*) from assignment") == 1


async def test_refused_text_to_an_unassigned_contact_leaves_no_assignment(
    database: Database, team: Team, joiner: Actor
) -> None:
    await switch(database, team, enabled=True)
    attempt = send(database, team, actor=joiner, assignment_id=None)
    opened = frozenset({"credit_exhaustion"})
    await assert_refused(database, attempt, InsufficientCredits, changes=opened)
    assert (await books(database, team.id)).reason == "EXHAUSTED"


async def test_refused_text_leaves_an_earlier_assignment_alone(
    database: Database, team: Team, joiner: Actor
) -> None:
    await switch(database, team, enabled=True)
    with pytest.raises(InsufficientCredits):
        await send(database, team, assignment_id=None)
    assert await value(database, "select count(*) from assignment") == 1


async def test_locked_unassigned_contact_leaves_no_assignment(
    database: Database, team: Team, joiner: Actor
) -> None:
    async with holding(database, LOCK_CONTACT, **team.names):
        attempt = send(database, team, actor=joiner, assignment_id=None)
        await assert_refused(database, attempt, Conflict)


@pytest.mark.parametrize("credits", [2, 8])
async def test_one_assignment_is_made_when_unassigned_contacts_are_texted_at_once(
    database: Database, crowd: Database, credits: int
) -> None:
    team = await make_team(database, contacts=8, credits=credits)
    await rows(database, UNASSIGN)
    joiner = await make_member(database, team.id, Role.TEXTER)
    attempts = [
        send(crowd, team, actor=joiner, contact_id=contact_id, assignment_id=None)
        for contact_id in team.contact_ids
    ]
    outcomes = await held_back(database, attempts, LOCK_ACCOUNT, team=team.id)
    assert sum(isinstance(o, int) for o in outcomes) == credits, outcomes
    assert sum(isinstance(o, InsufficientCredits) for o in outcomes) == 8 - credits
    [made] = await rows(
        database, "select id from assignment where user_id = %(user)s", user=joiner.user_id
    )
    assert await rows(database, "select distinct assignment_id from message") == [(made.id,)]
    assert (await books(database, team.id)).balance == 0


# Credits


async def test_longer_text_is_refused_and_a_shorter_one_goes(database: Database) -> None:
    team = await make_team(database, credits=2)
    opened = frozenset({"credit_exhaustion"})
    attempt = send(database, team, of_cost(3))
    await assert_refused(database, attempt, InsufficientCredits, changes=opened)
    figures = await books(database, team.id)
    assert (figures.reason, figures.remaining, figures.required) == ("SHORT", 2, 3)
    await assert_refused(database, send(database, team, of_cost(3)), InsufficientCredits)
    await send(database, team, of_cost(2))
    figures = await books(database, team.id)
    assert (figures.balance, figures.texts, figures.exhaustions) == (0, 1, 1)
    await add(database, team, 3)
    await send(database, team, of_cost(3))
    figures = await books(database, team.id)
    assert (figures.balance, figures.exhaustions, figures.reason) == (0, 2, "EXHAUSTED")


@pytest.mark.parametrize("status", ["needsMessage", "needsResponse", "closed"])
async def test_replies_cost_like_first_texts(database: Database, status: str) -> None:
    team = await make_team(database, credits=0)
    statement = "update campaign_contact set message_status = %(status)s"
    await rows(database, statement, status=status)
    with pytest.raises(InsufficientCredits):
        await send(database, team)
    await add(database, team, 1)
    await send(database, team)
    assert (await books(database, team.id)).balance == 0


@pytest.mark.parametrize(
    ("visible_to", "role", "is_visible"),
    [
        (CreditsVisibleTo.SUPERADMIN, Role.TEXTER, False),
        (CreditsVisibleTo.SUPERADMIN, Role.OWNER, False),
        (CreditsVisibleTo.OWNER, Role.ADMIN, False),
        (CreditsVisibleTo.OWNER, Role.OWNER, True),
        (CreditsVisibleTo.ADMIN, Role.TEXTER, False),
        (CreditsVisibleTo.ADMIN, Role.ADMIN, True),
        (CreditsVisibleTo.ADMIN, Role.OWNER, True),
    ],
)
async def test_refusal_says_what_was_needed_and_to_whom_it_may_what_remains(
    database: Database, visible_to: CreditsVisibleTo, role: Role, is_visible: bool
) -> None:
    team = await make_team(database, credits=2)
    change_role = "update user_organization set role = %(role)s where user_id = %(texter)s"
    await rows(database, change_role, role=role, **team.names)
    settings = load_settings(credits_visible_to=visible_to)
    expected = {"code": "INSUFFICIENT_CREDITS", "teamId": str(team.id), "requiredCredits": 3}
    for _ in ("the first refusal opens the exhaustion", "the second finds it open"):
        with pytest.raises(InsufficientCredits) as caught:
            await send(database, team, of_cost(3), settings=settings)
        remaining = {"remainingCredits": 2} if is_visible else {}
        assert caught.value.extensions == expected | remaining


# Idempotency


async def test_repeat_with_the_same_key_answers_the_same_and_sends_nothing(
    database: Database,
) -> None:
    team = await make_team(database, credits=1)
    first = await send(database, team, "It’s on", key="k")
    before = await state(database)
    assert await send(database, team, "It’s on", key="k") == first
    assert await send(database, team, "It's on", key="k") == first
    assert changed_tables(before, await state(database)) == set()


async def test_repeat_answers_the_same_whatever_happened_since(database: Database) -> None:
    """What has been accepted is accepted: checks are for texts yet to be sent."""
    answers = {}
    for name, violation in VIOLATIONS.items():
        team = await make_team(database)
        first = await send(database, team, key="k")
        repeat = await violate(database, team, violation, key="k")
        answers[name] = await repeat == first
    assert answers == dict.fromkeys(VIOLATIONS, True)
    assert await value(database, "select count(*) from message") == len(VIOLATIONS)


async def test_repeat_answers_the_same_after_the_message_was_deleted(
    database: Database, team: Team
) -> None:
    """Spoke may delete messages; the memory of keys is ours."""
    first = await send(database, team, key="k")
    await rows(database, "delete from message")
    assert await send(database, team, key="k") == first
    assert await value(database, "select count(*) from message") == 0


async def test_same_key_for_another_text_or_contact_is_refused(
    database: Database, team: Team
) -> None:
    await send(database, team, "Hi!", key="k")
    for other in (
        send(database, team, "Hi", key="k"),
        send(database, team, "Hi! ", key="k"),
        send(database, team, "Hi!", key="k", contact_id=team.contact_ids[1]),
    ):
        await assert_refused(database, other, InvalidInput, sentence=KEY_OF_ANOTHER)


async def test_refused_keyed_text_is_tried_afresh(database: Database) -> None:
    team = await make_team(database, credits=0)
    for _ in range(2):
        with pytest.raises(InsufficientCredits):
            await send(database, team, key="k")
    await add(database, team, 1)
    await send(database, team, key="k")
    await send(database, team, key="k")
    assert (await books(database, team.id)).texts == 1


async def test_keys_of_two_people_are_independent(database: Database, team: Team) -> None:
    supervolunteer = await make_member(database, team.id, Role.SUPERVOLUNTEER)
    await send(database, team, "Hi!", key="k")
    await send(database, team, "Hello!", actor=supervolunteer, key="k")
    texts = await rows(database, "select text from message order by id")
    assert texts == [("Hi!",), ("Hello!",)]


@pytest.mark.long
@pytest.mark.parametrize("credits", [None, 1, 5], ids=["off", "last", "on"])
@pytest.mark.parametrize("is_assigned", [True, False], ids=["assigned", "unassigned"])
async def test_keyed_text_raced_by_many_servers_is_sent_once(
    database: Database, crowd: Database, credits: int | None, is_assigned: bool
) -> None:
    team = await make_team(database, credits=credits)
    if not is_assigned:
        await rows(database, UNASSIGN)
    assignment_id = team.assignment_id if is_assigned else None
    attempts = [send(crowd, team, key="k", assignment_id=assignment_id) for _ in range(16)]
    if credits:
        outcomes = await held_back(database, attempts, LOCK_ACCOUNT, team=team.id)
    else:
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert (await books(database, team.id)).texts == 1
    assert outcomes == [team.contact_ids[0]] * 16


@pytest.mark.parametrize("credits", [None, 1, 5], ids=["off", "last", "on"])
@pytest.mark.parametrize("is_assigned", [True, False], ids=["assigned", "unassigned"])
async def test_keyed_text_raced_on_one_server_is_sent_once(
    database: Database, settings: Settings, credits: int | None, is_assigned: bool
) -> None:
    """A double click, or a retry while the first request is still under way."""
    team = await make_team(database, credits=credits)
    if not is_assigned:
        await rows(database, UNASSIGN)
    assignment_id = team.assignment_id if is_assigned else None
    writer = SendWriter(database.pool, settings)
    outcomes = await asyncio.gather(
        *(
            send(database, team, key="k", writer=writer, assignment_id=assignment_id)
            for _ in range(16)
        ),
        return_exceptions=True,
    )
    assert (await books(database, team.id)).texts == 1
    assert outcomes == [team.contact_ids[0]] * 16


@pytest.mark.parametrize("credits", [None, 5, 16], ids=["off", "few", "enough"])
@pytest.mark.parametrize("servers", [1, 16])
async def test_key_raced_by_many_contacts_goes_to_one(
    database: Database, crowd: Database, credits: int | None, servers: int
) -> None:
    team = await make_team(database, contacts=16, credits=credits)
    writers = [SendWriter(crowd.pool, SETTINGS) for _ in range(servers)]
    attempts = [
        send(crowd, team, key="k", contact_id=contact_id, writer=writers[number % servers])
        for number, contact_id in enumerate(team.contact_ids)
    ]
    if credits and servers == 16:
        outcomes = await held_back(database, attempts, LOCK_ACCOUNT, team=team.id)
    else:
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    [winner] = [o for o in outcomes if isinstance(o, int)]
    losers = [o for o in outcomes if isinstance(o, InvalidInput)]
    assert [str(o) for o in losers] == [KEY_OF_ANOTHER] * 15, outcomes
    figures = await books(database, team.id)
    assert (figures.texts, figures.spent) == (1, 1 if credits else 0)
    statuses = await rows(
        database, "select id from campaign_contact where message_status <> 'needsMessage'"
    )
    assert statuses == [(winner,)]


# Others at work on the same rows


async def test_contact_that_stays_locked_is_a_conflict_and_delays_nobody_else(
    database: Database,
) -> None:
    team = await make_team(database, contacts=2, credits=2)
    async with holding(database, LOCK_CONTACT, **team.names):
        locked = asyncio.create_task(send(database, team))
        assert await send(database, team, contact_id=team.contact_ids[1]) == team.contact_ids[1]
        assert not locked.done()
        await assert_refused(database, locked, Conflict, code="CONFLICT")
    assert (await books(database, team.id)).balance == 1


async def test_contact_that_is_let_go_in_time_is_texted(database: Database, team: Team) -> None:
    async with holding(database, LOCK_CONTACT, **team.names):
        attempt = asyncio.create_task(send(database, team))
        await asyncio.sleep(0.1)
        assert not attempt.done()
    assert await attempt == team.contact_ids[0]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (UNASSIGN, AssignmentChanged),
        ("update campaign_contact set is_opted_out = true", ContactOptedOut),
        ("update campaign_contact set archived = true", NotFound),
        ("update all_campaign set is_archived = true", NotFound),
        ("update credit_account set balance = 0", InsufficientCredits),
    ],
)
async def test_change_between_the_checks_and_the_write_is_seen(
    database: Database, change: str, error: type[ServiceError]
) -> None:
    """The send waits for the account while somebody else makes the change."""
    team = await make_team(database, credits=5)
    async with database.pool.connection() as other, other.transaction():
        await other.execute(LOCK_ACCOUNT, team.names)
        attempt = asyncio.create_task(send(database, team))
        await until_waiting(database, 1)
        await other.execute(change)
    with pytest.raises(error):
        await attempt
    assert await value(database, "select count(*) from message") == 0
    assert await value(database, "select count(*) from credit_entry where kind = 'SEND'") == 0


async def test_reply_that_comes_in_meanwhile_is_not_forgotten(database: Database) -> None:
    team = await make_team(database, credits=5)
    async with holding(database, LOCK_ACCOUNT, **team.names):
        attempt = asyncio.create_task(send(database, team))
        await until_waiting(database, 1)
        await rows(database, "update campaign_contact set message_status = 'needsResponse'")
    await attempt
    assert await value(database, "select message_status from campaign_contact") == "convo"
    assert (await books(database, team.id)).texts == 1


async def test_caller_that_goes_away_does_not_interrupt_its_text_or_its_neighbours(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, contacts=4, credits=5)
    writer = SendWriter(database.pool, settings)
    async with holding(database, LOCK_ACCOUNT, **team.names):
        first, *others = [
            asyncio.create_task(send(database, team, contact_id=contact_id, writer=writer))
            for contact_id in team.contact_ids
        ]
        await until_waiting(database, 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert await asyncio.gather(*others) == list(team.contact_ids[1:])
    await writer.drain()
    assert (await books(database, team.id)).texts == 4


async def test_cancelled_statement_is_run_again(database: Database) -> None:
    team = await make_team(database, credits=5)
    async with holding(database, LOCK_ACCOUNT, **team.names):
        attempt = asyncio.create_task(send(database, team))
        await until_waiting(database, 1)
        assert await value(database, SIGNAL_WAITING.format("pg_cancel_backend"))
    assert await attempt == team.contact_ids[0]
    assert (await books(database, team.id)).texts == 1


@pytest.mark.parametrize("is_assigned", [True, False], ids=["assigned", "unassigned"])
async def test_held_accounts_delay_their_own_teams_alone(
    database: Database, database_url: str, settings: Settings, is_assigned: bool
) -> None:
    """On a server of the usual size: somebody holds the accounts of six busy teams."""
    held = [await make_team(database, contacts=2, credits=50) for _ in range(6)]
    free = await make_team(database, contacts=3, credits=50)
    if not is_assigned:
        await rows(
            database,
            f"{UNASSIGN} where campaign_id <> %(campaign)s",
            **free.names,
        )
    async with open_database(database_url, send_pool_size=settings.send_pool_size) as server:
        writer = SendWriter(server.pool, settings)

        def text(team: Team, contact_id: int, assignment_id: int | None) -> asyncio.Task[int]:
            attempt = send(
                server, team, contact_id=contact_id, assignment_id=assignment_id, writer=writer
            )
            return asyncio.create_task(attempt)

        async with holding(
            database,
            "select from credit_account where team_id <> %(team)s for update",
            team=free.id,
        ):
            waiting = [
                text(team, contact_id, team.assignment_id if is_assigned else None)
                for team in held
                for contact_id in team.contact_ids
            ]
            await until_waiting(database, 1)
            began = time.monotonic()
            for contact_id in free.contact_ids:
                await text(free, contact_id, free.assignment_id)
            seconds = time.monotonic() - began
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert seconds < 1.5
    assert outcomes == [contact_id for team in held for contact_id in team.contact_ids]
    assert (await books(database, free.id)).balance == 47


async def test_held_account_does_not_delay_other_teams_texts_to_contacts_that_nobody_has(
    database: Database, database_url: str, settings: Settings
) -> None:
    """One texter has many texts for a team whose account is held. Each goes out in the end."""
    held = await make_team(database, contacts=20, credits=50)
    free = await make_team(database, contacts=4, credits=50)
    await rows(database, UNASSIGN)
    joiner = await make_member(database, held.id, Role.TEXTER)
    async with open_database(database_url, send_pool_size=settings.send_pool_size) as server:
        writer = SendWriter(server.pool, settings)

        def text(team: Team, contact_id: int, actor: Actor) -> asyncio.Task[int]:
            attempt = send(
                server, team, contact_id=contact_id, assignment_id=None, actor=actor, writer=writer
            )
            return asyncio.create_task(attempt)

        async with holding(database, LOCK_ACCOUNT, **held.names):
            waiting = [text(held, contact_id, joiner) for contact_id in held.contact_ids]
            await until_waiting(database, 1)
            await asyncio.sleep(0.1)
            async with asyncio.timeout(0.9):
                for contact_id in free.contact_ids:
                    await text(free, contact_id, free.texter)
            await asyncio.sleep(1)
            assert not any(task.done() for task in waiting)
        assert await asyncio.gather(*waiting) == list(held.contact_ids)
    assert await value(database, "select count(distinct assignment_id) from message") == 2
    assert (await books(database, held.id)).balance == 30


@pytest.mark.long
async def test_account_held_for_good_is_a_conflict_for_all_who_wait_at_once(
    database: Database, settings: Settings
) -> None:
    """Or a server that stops would have to wait for each in turn."""
    team = await make_team(database, contacts=8, credits=50)
    await rows(database, UNASSIGN)
    writer = SendWriter(database.pool, settings)
    async with holding(database, LOCK_ACCOUNT, **team.names):
        attempts = [
            send(database, team, contact_id=contact_id, assignment_id=None, writer=writer)
            for contact_id in team.contact_ids
        ]
        async with asyncio.timeout(6):
            outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Conflict] * 8
    assert await value(database, "select count(*) from assignment") == 1


async def test_assignment_that_somebody_makes_for_too_long_is_a_conflict_for_its_person_alone(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, contacts=2, credits=5)
    await rows(database, UNASSIGN)
    one, other = [await make_member(database, team.id, Role.SUPERVOLUNTEER) for _ in range(2)]
    making = "insert into assignment (user_id, campaign_id) values (%(user)s, %(campaign)s)"
    writer = SendWriter(database.pool, settings)
    async with holding(database, making, **{**team.names, "user": one.user_id}):
        attempts = [
            send(
                database,
                team,
                actor=actor,
                contact_id=contact_id,
                assignment_id=None,
                writer=writer,
            )
            for actor, contact_id in zip((one, other), team.contact_ids, strict=True)
        ]
        async with asyncio.timeout(6):
            held, free = await asyncio.gather(*attempts, return_exceptions=True)
    assert isinstance(held, Conflict)
    assert free == team.contact_ids[1]


async def test_account_that_is_held_too_long_is_a_conflict(database: Database) -> None:
    team = await make_team(database, credits=5)
    async with holding(database, LOCK_ACCOUNT, **team.names):
        await assert_refused(database, send(database, team), Conflict)


async def test_bad_row_fails_alone(database: Database, settings: Settings) -> None:
    """Numbers that no row can hold, among texts that arrive with them."""
    team = await make_team(database, contacts=16, credits=50)
    writer = SendWriter(database.pool, settings)
    bad: dict[int, dict[str, Any]] = {
        4: {"campaign_variable_ids": (2**31,)},
        9: {"contact_id": 2**31},
    }
    outcomes = await asyncio.gather(
        *(
            send(database, team, writer=writer, **{"contact_id": contact_id} | bad.get(n, {}))
            for n, contact_id in enumerate(team.contact_ids)
        ),
        return_exceptions=True,
    )
    good = [contact_id for n, contact_id in enumerate(team.contact_ids) if n not in bad]
    assert [o for o in outcomes if isinstance(o, int)] == good
    assert [n for n, o in enumerate(outcomes) if isinstance(o, psycopg.DataError)] == [*bad]
    assert (await books(database, team.id)).texts == 14


async def test_lost_connection_leaves_the_outcome_unknown(database: Database) -> None:
    team = await make_team(database, credits=5)
    async with holding(database, LOCK_ACCOUNT, **team.names):
        attempt = asyncio.create_task(send(database, team))
        await until_waiting(database, 1)
        assert await value(database, SIGNAL_WAITING.format("pg_terminate_backend"))
        await assert_refused(database, attempt, OutcomeUnknown, code="OUTCOME_UNKNOWN")


SIGNAL_WAITING = """
select {}(pid) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
"""
