"""What SendGrid reports of mail: signed, late, twice, in any order, and about others' mail too."""

import asyncio
import base64
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from psycopg.rows import namedtuple_row

from models.database import Database, open_database
from server.sendgrid_events import FASTEST_CLOCK, MOST_BYTES, OLDEST
from services.notice_events import signed_notice_id
from services.notices import Delivery, NoticeState, claim_notice, record_delivery
from services.settings import Settings, SettingsError, load_settings
from tests.api import Api
from tests.conftest import SECRET
from tests.mailing import (
    OWNER,
    TOLD,
    exhaust,
    mail_settings,
    make_team,
    notices,
    until_settled,
    workers,
)
from tests.sendgrid_twin import HANGS, sendgrid_twin
from tests.servers import served

PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = base64.b64encode(
    PRIVATE_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
ADDRESS = "superadmin@example.org"
Notice = Any
ids = itertools.count(1)


def signed_headers(
    body: bytes,
    *,
    timestamp: str | None = None,
    key: ec.EllipticCurvePrivateKey = PRIVATE_KEY,
) -> dict[str, str]:
    """As SendGrid's."""
    timestamp = timestamp or str(int(time.time()))
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return {
        "content-type": "application/json;charset=utf-8",
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": timestamp,
    }


def event(kind: str, notice_id: int, **changes: Any) -> dict[str, Any]:
    """Another one each time, unless its id is given."""
    number = next(ids)
    return {
        "email": ADDRESS,
        "timestamp": 1_800_000_000 + number,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": kind,
        "category": ["credits"],
        "sg_event_id": f"event-{number}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "credit_notice": signed_notice_id(notice_id, SECRET),
        **changes,
    }


async def post(client: httpx2.AsyncClient, *events: Any, **how: Any) -> httpx2.Response:
    body = orjson.dumps(events)
    return await client.post("/sendgrid-events", content=body, headers=signed_headers(body, **how))


async def report(client: httpx2.AsyncClient, *events: Any) -> None:
    answer = await post(client, *events)
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(spoke_data_dir=tmp_path, sendgrid_webhook_key=PUBLIC_KEY)


Connection = psycopg.AsyncConnection[Any]


@pytest.fixture
async def connection(demo_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(
        demo_url, autocommit=True, row_factory=namedtuple_row
    ) as connection:
        yield connection


async def make_notice(connection: Connection, state: str = "SENT", *, attempts: int = 1) -> int:
    """About an exhaustion that is over."""
    cursor = await connection.execute(
        "with ran_out as ("
        "  insert into credit_exhaustion (team_id, reason, remaining, closed_at, notices_made_at)"
        "  values (1, 'EXHAUSTED', 0, now(), now()) returning id, team_id)"
        " insert into credit_notice"
        "  (occasion, occasion_id, team_id, address, state, error, attempts)"
        " select 'EXHAUSTED', id, team_id, %s, %s, %s, %s from ran_out returning id",
        [ADDRESS, state, "no answer" if state == "UNKNOWN" else None, attempts],
    )
    [row] = await cursor.fetchall()
    return int(row.id)


async def notice(connection: Connection, notice_id: int) -> Notice:
    cursor = await connection.execute("select * from credit_notice where id = %s", [notice_id])
    return await cursor.fetchone()


async def kept(connection: Connection) -> list[tuple[int, str]]:
    cursor = await connection.execute(
        "select notice_id, kind from credit_notice_event order by happened_at"
    )
    return [tuple(row) for row in await cursor.fetchall()]


# What it does to a notice


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("processed", "SENT", None),
        ("deferred", "SENT", None),
        ("delivered", "DELIVERED", None),
        ("bounce", "BOUNCED", "550 5.1.1 no such user"),
        ("dropped", "DROPPED", "Bounced Address"),
    ],
)
async def test_a_report_is_better_than_what_we_thought(
    client: httpx2.AsyncClient, connection: Connection, kind: str, state: str, reason: str | None
) -> None:
    given = {"deferred": {"response": "400 later"}, "delivered": {"response": "250 OK"}}
    for before in ("QUEUED", "SENDING", "SENT", "UNKNOWN", "FAILED", "OBSOLETE"):
        notice_id = await make_notice(connection, before)
        told = event(kind, notice_id, **given.get(kind, {"reason": reason}))
        await report(client, told)
        found = await notice(connection, notice_id)
        assert (found.state, found.error) == (state, reason), before
        assert found.sent_at.timestamp() == told["timestamp"]
        assert (found.delivered_at is not None) == (kind == "delivered")
        assert found.provider_message_id == "14c5d75ce93"


KINDS = ("processed", "deferred", "delivered")


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
async def test_the_order_makes_no_difference(
    client: httpx2.AsyncClient, connection: Connection, together: bool
) -> None:
    for kinds in itertools.permutations(KINDS):
        notice_id = await make_notice(connection, "UNKNOWN")
        events = [event(kind, notice_id) for kind in kinds]
        for batch in [events] if together else [[one] for one in events]:
            await report(client, *batch)
        found = await notice(connection, notice_id)
        assert (found.state, found.error) == ("DELIVERED", None), kinds
        assert found.delivered_at is not None
        assert {(notice_id, kind) for kind in kinds} <= set(await kept(connection))


async def test_a_mail_that_came_back_has_bounced_even_if_it_was_delivered(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    for kinds in itertools.permutations(("processed", "delivered", "bounce")):
        notice_id = await make_notice(connection)
        for kind in kinds:
            await report(client, event(kind, notice_id, reason="550 mailbox gone"))
        found = await notice(connection, notice_id)
        assert (found.state, found.error) == ("BOUNCED", "550 mailbox gone"), kinds


async def test_an_event_counts_once(client: httpx2.AsyncClient, connection: Connection) -> None:
    notice_id = await make_notice(connection)
    told = event("delivered", notice_id)
    await report(client, told, told)
    await report(client, {**told, "event": "bounce"})
    assert (await notice(connection, notice_id)).state == "DELIVERED"
    assert await kept(connection) == [(notice_id, "delivered")]


async def test_the_same_reports_at_once_are_taken_once(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    notice_ids = [await make_notice(connection) for _ in range(5)]
    events = [event(kind, notice_id) for notice_id in notice_ids for kind in KINDS]
    orders = [events, events[::-1]] * 4
    await asyncio.gather(*(report(client, *order) for order in orders))
    assert len(await kept(connection)) == 15
    for notice_id in notice_ids:
        assert (await notice(connection, notice_id)).state == "DELIVERED"


async def test_a_worker_that_learns_less_later_changes_nothing(
    client: httpx2.AsyncClient, connection: Connection, demo_url: str, settings: Settings
) -> None:
    """Not even to send it again: SendGrid took it, though it answered 500."""
    async with open_database(demo_url) as database:
        for outcome in (NoticeState.SENT, NoticeState.UNKNOWN, NoticeState.QUEUED):
            notice_id = await make_notice(connection, "QUEUED")
            async with database.sessions.begin() as session:
                in_hand = await claim_notice(session, settings, notice_id)
            await report(client, event("delivered", notice_id))
            async with database.sessions.begin() as session:
                assert in_hand and not await record_delivery(session, in_hand, Delivery(outcome))
                assert await claim_notice(session, settings, notice_id) is None
            assert (await notice(connection, notice_id)).state == "DELIVERED"


async def test_a_mail_that_waits_for_another_attempt_is_not_sent_again_once_reported(
    client: httpx2.AsyncClient, connection: Connection, demo_url: str, settings: Settings
) -> None:
    notice_id = await make_notice(connection, "QUEUED")
    await report(client, event("processed", notice_id))
    async with open_database(demo_url) as database, database.sessions.begin() as session:
        assert await claim_notice(session, settings, notice_id) is None


# What it passes over


async def test_reports_of_other_mail_are_passed_over(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    """Others may use the same account: SendGrid must not repeat what is not for us."""
    notice_id = await make_notice(connection)
    right = event("bounce", notice_id)
    ids_of_none = ("", "x", "é", f"{notice_id}", f"{notice_id}.x", notice_id, None)
    others: list[Any] = [
        event("bounce", 987_654_321),
        event("bounce", 10**17),
        event("bounce", notice_id, email="other@example.org"),
        event("bounce", notice_id, email=None),
        event("open", notice_id),
        event("bounce", notice_id, event=None),
        event("bounce", notice_id, timestamp="yesterday"),
        event("bounce", notice_id, timestamp=True),
        event("bounce", notice_id, sg_event_id=""),
        event("bounce", notice_id, sg_event_id="x" * 500),
        event("bounce", notice_id, sg_event_id=5),
        *({**right, "credit_notice": none} for none in ids_of_none),
        {name: value for name, value in right.items() if name != "credit_notice"},
        {},
        [],
        None,
        "bounce",
    ]
    for other in others:
        await report(client, other)
    await report(client, *others)
    await report(client)
    assert (await notice(connection, notice_id)).state == "SENT"
    assert await kept(connection) == []
    await report(client, *others, right)
    assert (await notice(connection, notice_id)).state == "BOUNCED"


async def test_reports_of_another_installations_mail_are_passed_over(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    """A staging system with the same account: its notices have the same ids, and its people the
    same addresses."""
    notice_id = await make_notice(connection)
    foreign = signed_notice_id(notice_id, "another-secret")
    await report(client, event("bounce", notice_id, credit_notice=foreign))
    assert (await notice(connection, notice_id)).state == "SENT"
    assert await kept(connection) == []


@pytest.mark.parametrize("state", ["QUEUED", "OBSOLETE"])
async def test_a_report_of_mail_that_never_left_is_passed_over(
    client: httpx2.AsyncClient, connection: Connection, state: str
) -> None:
    """Else its job would find nothing to do, and nobody be told."""
    notice_id = await make_notice(connection, state, attempts=0)
    await report(client, event("delivered", notice_id))
    found = await notice(connection, notice_id)
    assert (found.state, found.sent_at) == (state, None)
    assert await kept(connection) == []


async def test_addresses_are_the_same_in_any_case(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    notice_id = await make_notice(connection)
    await report(client, event("delivered", notice_id, email=ADDRESS.upper()))
    assert (await notice(connection, notice_id)).state == "DELIVERED"


async def test_a_reason_may_hold_anything(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    notice_id = await make_notice(connection)
    await report(client, event("bounce", notice_id, reason="550\r\n no\0 " + "x" * 5000))
    error = (await notice(connection, notice_id)).error
    assert error.startswith("550 no xxx") and len(error) == 500


# Who may report


def forged(body: bytes) -> dict[str, dict[str, str]]:
    right = signed_headers(body)
    signature, timestamp = list(right)[1:]
    other_key = ec.generate_private_key(ec.SECP256R1())
    return {
        "unsigned": {},
        "no timestamp": {name: right[name] for name in right if name != timestamp},
        "no signature": {name: right[name] for name in right if name != signature},
        "another time": {**right, timestamp: str(int(right[timestamp]) + 1)},
        "another body": signed_headers(body + b" "),
        "another key": signed_headers(body, key=other_key),
        "not base64": {**right, signature: "%%%"},
        "not ASCII": {**right, signature: "é"},
        "no signature at all": {**right, signature: base64.b64encode(b"x" * 70).decode()},
    }


async def test_what_sendgrid_did_not_sign_is_refused(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    notice_id = await make_notice(connection)
    body = orjson.dumps([event("bounce", notice_id)])
    for kind, headers in forged(body).items():
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await client.post("/sendgrid-events", content=body, headers=raw)
        assert answer.status_code == 403, kind
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_SIGNATURE", kind
    assert (await notice(connection, notice_id)).state == "SENT"
    assert await kept(connection) == []


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (-OLDEST.total_seconds() - 60, "OLD_SIGNATURE"),
        (-OLDEST.total_seconds() + 60, None),
        (FASTEST_CLOCK.total_seconds() - 60, None),
        (FASTEST_CLOCK.total_seconds() + 60, "OLD_SIGNATURE"),
    ],
)
async def test_a_signature_is_good_for_a_day(
    client: httpx2.AsyncClient, connection: Connection, seconds: float, code: str | None
) -> None:
    notice_id = await make_notice(connection)
    timestamp = str(int(time.time() + seconds))
    answer = await post(client, event("delivered", notice_id), timestamp=timestamp)
    if code is None:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, code)
    found = await notice(connection, notice_id)
    assert found.state == ("SENT" if code else "DELIVERED")


@pytest.mark.parametrize("timestamp", ["now", "-5", "1e9", "١٢٣", "9" * 20])
async def test_a_signed_time_that_is_none_is_refused(
    client: httpx2.AsyncClient, timestamp: str
) -> None:
    body = b"[]"
    headers = signed_headers(body, timestamp=timestamp)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = await client.post("/sendgrid-events", content=body, headers=raw)
    assert answer.status_code == 403


async def test_what_is_signed_but_no_list_of_events_is_told(client: httpx2.AsyncClient) -> None:
    for body in (b"", b"{", b"{}", b"5", b"\xff"):
        answer = await client.post("/sendgrid-events", content=body, headers=signed_headers(body))
        assert answer.status_code == 400, body
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_body_without_end_is_not_read(client: httpx2.AsyncClient) -> None:
    body = b" " * MOST_BYTES + b"[]"
    answer = await client.post("/sendgrid-events", content=body, headers=signed_headers(body))
    assert answer.status_code == 413
    full = b" " * (MOST_BYTES - 2) + b"[]"
    answer = await client.post("/sendgrid-events", content=full, headers=signed_headers(full))
    assert answer.status_code == 200


@pytest.mark.parametrize("settings", [load_settings()])
async def test_without_a_key_nothing_is_there(client: httpx2.AsyncClient) -> None:
    answer = await post(client, event("delivered", 1))
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"


ED25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
"""A public key, but none for ECDSA."""


@pytest.mark.parametrize("key", ["x", "AAAA", f"-----BEGIN-----{PUBLIC_KEY}", ED25519])
def test_a_key_that_is_none_is_told_at_the_start(key: str) -> None:
    with pytest.raises(SettingsError, match="SENDGRID_WEBHOOK_KEY: is not the key"):
        load_settings(sendgrid_webhook_key=key)


def test_a_key_may_come_with_a_line_feed() -> None:
    assert load_settings(sendgrid_webhook_key=f"{PUBLIC_KEY}\n").sendgrid_webhook_key == PUBLIC_KEY


# The whole way, with processes and HTTP of their own


async def test_what_became_of_a_mail_is_seen_by_who_may(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with sendgrid_twin() as twin:
        settings = mail_settings(tmp_path, twin)
        team = await make_team(database)
        twin.will_answer(OWNER, HANGS)
        await exhaust(database, settings, team)
        async with workers(settings, database_url):
            await until_settled(database, {OWNER: "UNKNOWN"})
    kinds = dict.fromkeys(TOLD, "delivered")
    events = [
        event(
            kinds[mail.to[0]],
            0,
            email=mail.to[0],
            **mail.body["personalizations"][0]["custom_args"],
        )
        for mail in twin.received
    ]
    body = orjson.dumps(events)
    with served(
        DATABASE_URL=database_url, SESSION_SECRET=SECRET, SENDGRID_WEBHOOK_KEY=PUBLIC_KEY
    ) as server:
        for _ in range(2):
            answer = server.client.post(
                "/sendgrid-events", content=body, headers=signed_headers(body)
            )
            assert (answer.status_code, answer.text) == (200, "ok")
        unsigned = server.client.post("/sendgrid-events", content=body)
        assert unsigned.status_code == 403
    rows = await notices(database)
    assert {row.state for row in rows.values()} == {"DELIVERED"}
    assert all(row.delivered_at and row.sent_at and not row.error for row in rows.values())


QUERY = """query($limit: Int! = 100, $offset: Int! = 0) {
  creditNotices(teamId: "1", limit: $limit, offset: $offset) {
    id occasion state address attempts createdAt sentAt deliveredAt
  }
}"""


async def test_notices_are_listed_newest_first(
    api: Api, client: httpx2.AsyncClient, connection: Connection
) -> None:
    await connection.execute("delete from credit_notice")
    made = [await make_notice(connection, state) for state in ("UNKNOWN", "SENT", "FAILED")]
    await report(client, event("delivered", made[0]), event("bounce", made[1]))
    for person in ("superadmin", "owner", "admin"):
        listed = (await api(person, QUERY)).ok["creditNotices"]
        assert [(one["id"], one["state"]) for one in listed] == [
            (str(made[2]), "FAILED"),
            (str(made[1]), "BOUNCED"),
            (str(made[0]), "DELIVERED"),
        ]
        assert {(one["occasion"], one["address"]) for one in listed} == {("EXHAUSTED", ADDRESS)}
        assert [one["deliveredAt"] is not None for one in listed] == [False, False, True]
    page = (await api("admin", QUERY, limit=1, offset=1)).ok["creditNotices"]
    assert [one["id"] for one in page] == [str(made[1])]


async def test_what_the_provider_said_is_for_superadmins(
    api: Api, client: httpx2.AsyncClient, connection: Connection
) -> None:
    await connection.execute("delete from credit_notice")
    notice_id = await make_notice(connection)
    await report(client, event("bounce", notice_id, reason="550 no such user"))
    query = '{ creditNotices(teamId: "1") { state error } }'
    shown = (await api("superadmin", query)).ok["creditNotices"]
    assert shown == [{"state": "BOUNCED", "error": "550 no such user"}]
    for person in ("owner", "admin"):
        answer = await api(person, query)
        assert answer.data["creditNotices"] == [{"state": "BOUNCED", "error": None}]
        assert answer.codes == ["FORBIDDEN"]
