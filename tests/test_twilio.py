"""Texts by Twilio: what is asked of it, and what its answers, or none, mean."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientConnectorCertificateError, ClientConnectorDNSError, ClientTimeout
from structlog.testing import capture_logs

from services import twilio as twilio_service
from services.providers import (
    DeliveryStatus,
    LookUpFailed,
    MessagingService,
    NotSent,
    OutcomeUnclear,
    OutgoingText,
    Report,
)
from services.settings import Settings, load_settings
from services.twilio import (
    LONG_WAIT_SECONDS,
    MOST_PAGES,
    NEVER_LEFT,
    Twilio,
    open_twilio,
)
from services.twilio_signatures import reported_text
from tests.conftest import SECRET
from tests.servers import free_port
from tests.twilio_twin import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    BEHAVIOURS,
    SERVICE_SID,
    Behaviour,
    TwilioTwin,
    twilio_twin,
)
from tests.world import encrypted

CELL = "+12025550123"
ACCEPTED_AT = datetime(2026, 11, 1, 12, 30, 15, 123456, UTC)
SERVICE = MessagingService(SERVICE_SID, ACCOUNT_SID, encrypted(AUTH_TOKEN, SECRET))


@pytest.fixture
def twin() -> Iterator[TwilioTwin]:
    with twilio_twin() as twin:
        yield twin


@pytest.fixture
async def twilio(twin: TwilioTwin) -> AsyncIterator[Twilio]:
    async with open_twilio(settings_for(twin.url), SECRET) as twilio:
        yield twilio


def settings_for(host: str) -> Settings:
    """Reports go to the twin itself, which doesn't know what to do with them."""
    address = host.replace("https:", "http:")
    return load_settings(default_service="twilio", twilio_host=host, base_url=address)


def a_text(text: str = "Hi!", **changes: Any) -> OutgoingText:
    send_before = datetime.now(UTC) + timedelta(hours=3)
    outgoing = OutgoingText(7, 2, CELL, text, send_before, ACCEPTED_AT, "twilio", SERVICE)
    return replace(outgoing, **changes)


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """The address of a server that says this to whoever has said something, and hangs up; without
    an answer it keeps silent."""

    talks = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        await reader.read(100)
        writer.write(answer)
        if not answer:
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*filter(None, talks))


# What Twilio is asked


async def test_request_says_everything_that_twilio_must_know(
    twin: TwilioTwin, twilio: Twilio
) -> None:
    await twilio.send(a_text("Voilà: 1 + 1 = 2 & more"))
    [form] = twin.requests
    assert form["To"] == CELL
    assert form["Body"] == "Voilà: 1 + 1 = 2 & more"
    assert form["MessagingServiceSid"] == SERVICE_SID
    assert 3600 * 3 - 10 <= int(form["ValidityPeriod"]) <= 3600 * 3
    assert set(form) == {"To", "Body", "MessagingServiceSid", "ValidityPeriod", "StatusCallback"}


async def test_reports_are_wanted_at_an_address_that_nobody_can_guess(
    twin: TwilioTwin, twilio: Twilio
) -> None:
    await twilio.send(a_text())
    address = urlsplit(twin.requests[0]["StatusCallback"])
    expected = f"{twin.url}/twilio-message-report?message=7-1793536215123456."
    assert address.geturl().startswith(expected)
    assert address.fragment == "rc=5&rp=ct,rt,5xx"
    signed = parse_qs(address.query)["message"][0]
    assert reported_text(signed, SECRET) == (7, ACCEPTED_AT)
    later = signed.replace("56.", "57.")
    for forged in ("8" + signed[1:], later, signed[:-1], "7", "7.", "", "7.é", signed + "x"):
        assert reported_text(forged, SECRET) is None
    assert reported_text(signed, "another-secret-of-the-tests") is None


@pytest.mark.parametrize(
    ("text", "body", "media"),
    [
        ("Look: [ https://a.b/c.jpg ]!", "Look: !", "https://a.b/c.jpg"),
        ("[http://a.b/1][http://a.b/2]", "[http://a.b/2]", "http://a.b/1"),
        ("[https://a.b/c.jpg]", None, "https://a.b/c.jpg"),
        ("No [media] here", "No [media] here", None),
    ],
)
async def test_media_are_taken_out_of_the_body(
    twin: TwilioTwin, twilio: Twilio, text: str, body: str | None, media: str | None
) -> None:
    report = await twilio.send(a_text(text))
    [form] = twin.requests
    assert (form.get("Body"), form.get("MediaUrl")) == (body, media)
    assert isinstance(report, Report)
    assert report.service_id.startswith("MM" if media else "SM")


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(days=1), "36000"),
        (timedelta(seconds=90.9), "90"),
        (timedelta(seconds=0.4), "1"),
        (-timedelta(seconds=5), "1"),
    ],
)
async def test_validity_ends_with_the_permission_to_send(
    twin: TwilioTwin, twilio: Twilio, left: timedelta, expected: str
) -> None:
    await twilio.send(a_text(send_before=datetime.now(UTC) + left))
    assert twin.requests[0]["ValidityPeriod"] in {expected, str(int(expected) - 1)}


async def test_connections_are_used_again(twin: TwilioTwin, twilio: Twilio) -> None:
    for _ in range(5):
        await twilio.send(a_text())
    assert twilio._client.connector is not None
    [pool] = twilio._client.connector._conns.values()
    assert len(pool) == 1


# What its answers mean


async def test_accepted_text_is_sent_and_not_counted_yet(twin: TwilioTwin, twilio: Twilio) -> None:
    report = await twilio.send(a_text())
    [accepted] = twin.accepted
    assert isinstance(report, Report)
    assert (report.message_id, report.fence) == (7, 2)
    assert (report.status, report.service_id) == (DeliveryStatus.SENT, accepted.sid)
    assert (report.segments, report.error_code) == (None, None)
    assert report.response["num_segments"] == "0"
    assert "body" not in report.response


async def test_refusal_of_a_text_is_its_end(twilio: Twilio) -> None:
    report = await twilio.send(a_text("twin:refused"))
    assert isinstance(report, Report)
    assert (report.status, report.error_code, report.service_id) == (
        DeliveryStatus.FAILED,
        "21610",
        "",
    )
    assert (report.message_id, report.fence) == (7, 2)
    assert report.response["status"] == 400


@pytest.mark.parametrize("word", ["unauthorized", "suspended", "unknown-account"])
async def test_trouble_with_an_account_keeps_its_texts(twilio: Twilio, word: str) -> None:
    with capture_logs() as logs:
        outcome = await twilio.send(a_text(f"twin:{word}"))
    assert outcome == NotSent(
        f"Twilio answers {BEHAVIOURS[word].status}, {BEHAVIOURS[word].code}.",
        LONG_WAIT_SECONDS,
        pauses_service=True,
    )
    [line] = logs
    assert line["messaging_service_sid"] == SERVICE_SID
    assert AUTH_TOKEN not in str(logs)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(400, accepts=False, code=21611),
        Behaviour(400, accepts=False, code=21704),
        Behaviour(400, accepts=False),
        Behaviour(302, accepts=False, headers={"Location": "https://example.org/"}),
    ],
)
async def test_what_is_not_the_texts_fault_keeps_it(
    twin: TwilioTwin, twilio: Twilio, behaviour: Behaviour
) -> None:
    twin.will_treat(CELL, behaviour)
    outcome = await twilio.send(a_text())
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after_seconds == LONG_WAIT_SECONDS


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("3", 3.0), ("99999", LONG_WAIT_SECONDS), ("soon", None), ("", None), ("-1", None)],
)
async def test_too_many_at_once_wait(
    twin: TwilioTwin, twilio: Twilio, retry_after: str, seconds: float | None
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    twin.will_treat(CELL, Behaviour(429, accepts=False, code=20429, headers=headers))
    outcome = await twilio.send(a_text())
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "word",
    ["server-error", "server-error-accepted", "unavailable", "breaks", "breaks-accepted"],
)
async def test_without_a_clear_answer_nobody_knows(
    twin: TwilioTwin, twilio: Twilio, word: str
) -> None:
    assert isinstance(await twilio.send(a_text(f"twin:{word}")), OutcomeUnclear)
    assert len(twin.requests) == 1  # and it isn't tried again by itself


@pytest.mark.parametrize("word", ["hangs", "hangs-accepted"])
async def test_without_any_answer_nobody_knows(
    twin: TwilioTwin, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr(twilio_service, "TIMEOUT", ClientTimeout(total=0.3, connect=0.2))
    async with open_twilio(settings_for(twin.url), SECRET) as twilio:
        assert isinstance(await twilio.send(a_text(f"twin:{word}")), OutcomeUnclear)
    assert len(twin.accepted) == BEHAVIOURS[word].accepts


async def test_an_answer_that_is_no_answer_is_unclear() -> None:
    for answer in (b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 201 Cre"):
        async with answering(answer) as url, open_twilio(settings_for(url), SECRET) as twilio:
            assert isinstance(await twilio.send(a_text()), OutcomeUnclear)


async def test_what_never_left_is_not_sent() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with open_twilio(settings_for(url), SECRET) as twilio:
        outcome = await twilio.send(a_text())
        assert isinstance(outcome, NotSent)
        assert outcome.retry_after_seconds is None


def test_unknown_hosts_and_certificates_are_met_before_anything_leaves() -> None:
    for error in (ClientConnectorDNSError, ClientConnectorCertificateError):
        assert issubclass(error, NEVER_LEFT)


async def test_a_connection_that_is_never_let_in_carries_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TLS that isn't spoken on the other side: it waits for an answer to its first words."""
    monkeypatch.setattr(twilio_service, "TIMEOUT", ClientTimeout(total=5, connect=0.3))
    async with answering(b"") as url:
        address = url.replace("http:", "https:")
        async with open_twilio(settings_for(address), SECRET) as twilio:
            assert isinstance(await twilio.send(a_text()), NotSent)


async def test_tls_with_a_stranger_carries_nothing() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        address = url.replace("http:", "https:")
        async with open_twilio(settings_for(address), SECRET) as twilio:
            assert isinstance(await twilio.send(a_text()), NotSent)


@pytest.mark.parametrize(
    "service", [None, replace(SERVICE, encrypted_auth_token="00"), replace(SERVICE, sid="MG9")]
)
async def test_texts_wait_for_a_service_that_is_not_in_order(
    twin: TwilioTwin, twilio: Twilio, service: MessagingService | None
) -> None:
    if service and service.sid == "MG9":
        twin.accounts[ACCOUNT_SID] = "another token"
    outcome = await twilio.send(a_text(service=service))
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after_seconds == LONG_WAIT_SECONDS
    assert twin.accepted == []


# Looking up


def minutes_ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


async def test_what_twilio_has_is_found(twin: TwilioTwin, twilio: Twilio) -> None:
    await twilio.send(a_text("Hi twin:breaks-accepted"))
    await twin.settled()
    [found] = await twilio.look_up(a_text("Hi twin:breaks-accepted"), minutes_ago(10))
    [accepted] = twin.accepted
    assert (found.message_id, found.service_id) == (7, accepted.sid)
    assert (found.status, found.segments) == (DeliveryStatus.DELIVERED, 1)


async def test_what_still_waits_at_twilio_is_found(twin: TwilioTwin, twilio: Twilio) -> None:
    """It has no date of sending, by which Twilio would list it."""
    await twilio.send(a_text("twin:queued"))
    await twin.settled()
    [found] = await twilio.look_up(a_text("twin:queued"), minutes_ago(10))
    assert (found.status, found.segments) == (DeliveryStatus.SENT, None)


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("failed", DeliveryStatus.FAILED, "30007"),
        ("undelivered", DeliveryStatus.UNDELIVERED, "30003"),
    ],
)
async def test_its_end_is_found(
    twin: TwilioTwin, twilio: Twilio, word: str, status: DeliveryStatus, code: str
) -> None:
    await twilio.send(a_text(f"twin:{word}"))
    await twin.settled()
    [found] = await twilio.look_up(a_text(f"twin:{word}"), minutes_ago(10))
    assert (found.status, found.error_code) == (status, code)


async def test_other_texts_are_not_taken_for_it(twin: TwilioTwin, twilio: Twilio) -> None:
    await twilio.send(a_text("Something else"))
    await twilio.send(a_text(cell="+12025550999"))
    await twilio.send(a_text(service=replace(SERVICE, sid="MG" + "8" * 32)))
    twin.accepted.clear()
    await twilio.send(a_text())
    [old] = twin.accepted
    old.at = minutes_ago(12)
    assert await twilio.look_up(a_text(), minutes_ago(10)) == []
    assert len(await twilio.look_up(a_text(), minutes_ago(12))) == 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("“Hi” – it’s me…", '"Hi" - it\'s me...'),  # Twilio's smart encoding
        (" Hi \n there ", "Hi there"),
        ("Look [https://a.b/c.jpg]", "Look "),
        ("Hi there", ""),  # redacted
        ("Only ½ mile", "Only 1/2 mile"),
        ("Ｐｏｌｌｓ　ｏｐｅｎ at ７", "Polls  open at 7"),
        ("ᴠᴏᴛᴇ nowǃ Itʼs easy", "VOTE now! It's easy"),
        ("José and Nuñez", "José and Nun~ez"),
        ("Call № 5 today", "Call # 5 today"),  # by a rule that we don't know
        ("Привет, это Аня", "Привет, это Аня"),
        ("👍", "👍"),
        ("Hi there", "Sent from your Twilio trial account - Hi there"),
        ("Hi – there", "Sent from your Twilio trial account - Hi - there"),
        ("👍", "Sent from your Twilio trial account - 👍"),
    ],
)
async def test_a_body_that_twilio_has_changed_is_known_again(
    twin: TwilioTwin, twilio: Twilio, ours: str, theirs: str
) -> None:
    await twilio.send(a_text(ours))
    twin.accepted[0].form["Body"] = theirs
    assert len(await twilio.look_up(a_text(ours), minutes_ago(10))) == 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Привет, это Аня", "Привет, это Яна"),
        ("投票は七時から", "投票は八時から"),
        ("Hi Ann", "Hi Anna"),
        ("Hi Ann", "Hi Bob – vote!"),
        ("It’s on at 7", "It’s on at 8"),
        ("👍", "Hi there"),
        ("[https://a.b/c.jpg]", "Hi there"),
    ],
)
async def test_what_says_something_else_is_another_text(
    twin: TwilioTwin, twilio: Twilio, ours: str, theirs: str
) -> None:
    await twilio.send(a_text(theirs))
    assert await twilio.look_up(a_text(ours), minutes_ago(10)) == []


async def test_all_pages_are_read_and_the_earliest_comes_first(
    twin: TwilioTwin, twilio: Twilio
) -> None:
    twin.page_size = 2
    for _ in range(5):
        await twilio.send(a_text())
    found = await twilio.look_up(a_text(), minutes_ago(10))
    assert {report.service_id for report in found} == {text.sid for text in twin.accepted}
    assert len(twin.lists) == 3
    twin.accepted[3].at -= timedelta(seconds=30)
    found = await twilio.look_up(a_text(), minutes_ago(10))
    assert found[0].service_id == twin.accepted[3].sid


async def test_more_than_can_be_read_is_not_nothing(twin: TwilioTwin, twilio: Twilio) -> None:
    twin.page_size = 1
    for _ in range(MOST_PAGES + 1):
        await twilio.send(a_text("Something else"))
    with pytest.raises(LookUpFailed):
        await twilio.look_up(a_text(), minutes_ago(10))


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_trouble_is_not_nothing(twin: TwilioTwin, twilio: Twilio, status: int) -> None:
    twin.list_status = status
    with pytest.raises(LookUpFailed):
        await twilio.look_up(a_text(), minutes_ago(10))


async def test_silence_is_not_nothing(twilio: Twilio) -> None:
    async with open_twilio(settings_for(f"http://127.0.0.1:{free_port()}"), SECRET) as nowhere:
        with pytest.raises(LookUpFailed):
            await nowhere.look_up(a_text(), minutes_ago(10))
    for service in (None, replace(SERVICE, encrypted_auth_token="")):
        with pytest.raises(LookUpFailed):
            await twilio.look_up(a_text(service=service), minutes_ago(10))
