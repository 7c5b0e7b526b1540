"""Texts by Twilio's HTTP API."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
import structlog
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
    encode_basic_auth,
)

from services import clock
from services.auth_tokens import CannotDecrypt, decrypted
from services.providers import (
    DeliveryStatus,
    LookUpFailed,
    MessagingService,
    NotSent,
    OutcomeUnclear,
    OutgoingText,
    Report,
)
from services.segments import media_url, without_media
from services.settings import Settings
from services.twilio_signatures import ReportedText, report_address
from services.twilio_texts import is_same_body, report_of_resource

log = structlog.get_logger("twilio")

TIMEOUT = ClientTimeout(total=10, connect=5)
KEPT_ALIVE_SECONDS = 15
"""A connection that nobody uses is closed by us before Twilio does it, just when we write."""
LONGEST_VALIDITY = 36_000
"""Seconds for which Twilio may hold a text in its queue."""
LONG_WAIT_SECONDS = 300
"""Where somebody has to mend an account first."""
CLOCK_SKEW = timedelta(minutes=1)
PAGE_SIZE = 1000
MOST_PAGES = 20
"""Of the texts to one number."""
MOST_PAGES_OF_AN_ACCOUNT = 5000
NOT_THE_TEXTS_FAULT = frozenset({21611, 21701, 21703, 21704, 21705})
"""Codes of a 400 by which the text could still go later: the queue of the number is full, or the
messaging service is not there or has no numbers."""

# Before a connection stands, nothing can have left.
NEVER_LEFT = (ClientConnectorError, ConnectionTimeoutError)


class _Account(NamedTuple):
    url: str
    headers: Mapping[str, str]


class _NoAccess(Exception):
    """Says why."""


class Twilio:
    def __init__(self, settings: Settings, secret: str, client: ClientSession) -> None:
        self.texts_per_second = settings.twilio_texts_per_second
        self._host = settings.twilio_host
        self._address = settings.address
        self._secret = secret
        self._client = client

    async def send(self, text: OutgoingText) -> Report | NotSent | OutcomeUnclear:
        try:
            account = self._account(text.service)
            async with self._client.post(
                f"{account.url}/Messages.json",
                data=self._form(text),
                headers=account.headers,
                allow_redirects=False,
            ) as response:
                answer = await response.read()
        except _NoAccess as error:
            return NotSent(str(error), LONG_WAIT_SECONDS, pauses_service=True)
        except NEVER_LEFT as error:
            return NotSent(_named(error))
        except (ClientError, TimeoutError) as error:
            return OutcomeUnclear(_named(error))
        return _outcome(text, response.status, response.headers, answer)

    def _form(self, text: OutgoingText) -> dict[str, str]:
        assert text.service is not None
        left = int((text.send_before - clock.now()).total_seconds())
        form = {
            "To": text.cell,
            "MessagingServiceSid": text.service.sid,
            "ValidityPeriod": str(min(max(left, 1), LONGEST_VALIDITY)),
            "StatusCallback": report_address(
                self._address, self._secret, ReportedText(text.message_id, text.accepted_at)
            ),
        }
        if body := without_media(text.text):
            form["Body"] = body
        if media := media_url(text.text):
            form["MediaUrl"] = media
        return form

    async def look_up(self, text: OutgoingText, since: datetime) -> Sequence[Report]:
        """Not by date: Twilio lists by when it sent a text, which it may not have done yet."""
        earliest = since - CLOCK_SKEW
        try:
            account = self._account(text.service)
        except _NoAccess as error:
            raise LookUpFailed(str(error)) from None
        found = []
        async for page in self._pages(account, {"To": text.cell}, most=MOST_PAGES):
            found += [message for message in page if _may_be(message, text, earliest)]
        found.sort(key=lambda message: _moment(message.get("date_created")))
        return [report_of_resource(message, text.message_id) for message in found]

    async def sent_since(
        self, service: MessagingService, since: datetime
    ) -> AsyncGenerator[list[Report]]:
        """Twilio lists what it sent last first, and can be asked for whole days."""
        try:
            account = self._account(service)
        except _NoAccess as error:
            raise LookUpFailed(str(error)) from None
        query = {"DateSent>": f"{since.astimezone(UTC):%Y-%m-%d}"}
        async for page in self._pages(account, query, most=MOST_PAGES_OF_AN_ACCOUNT):
            yield [report_of_resource(message, 0) for message in page if _is_outbound(message)]
            if all(_moment(message.get("date_sent")) < since for message in page):
                return

    async def _pages(
        self, account: _Account, query: Mapping[str, str], *, most: int
    ) -> AsyncGenerator[list[dict[str, Any]]]:
        """Raises LookUpFailed, also for more than is bearable: what is left out may be it."""
        wanted = urlencode({**query, "PageSize": PAGE_SIZE})
        url = f"{account.url}/Messages.json?{wanted}"
        for _ in range(most):
            page = await self._got(url, account)
            yield page["messages"]
            if not page.get("next_page_uri"):
                return
            url = self._host + page["next_page_uri"]
        raise LookUpFailed(f"There are more than {most} pages.")

    async def _got(self, url: str, account: _Account) -> dict[str, Any]:
        try:
            async with self._client.get(
                url, headers=account.headers, allow_redirects=False
            ) as response:
                answer = await response.read()
        except (ClientError, TimeoutError) as error:
            raise LookUpFailed(_named(error)) from error
        found = _json(answer)
        if response.status != 200 or "messages" not in found:
            raise LookUpFailed(f"Twilio answers {response.status}.")
        return found

    def _account(self, service: MessagingService | None) -> _Account:
        """Raises _NoAccess."""
        if service is None:
            raise _NoAccess("There is no such messaging service any more.")
        try:
            token = decrypted(service.encrypted_auth_token, self._secret)
        except CannotDecrypt:
            log.error("auth_token_unreadable", messaging_service_sid=service.sid)
            raise _NoAccess(f"The token of {service.sid} can't be read.") from None
        url = f"{self._host}/2010-04-01/Accounts/{service.account_sid}"
        return _Account(url, {"Authorization": encode_basic_auth(service.account_sid, token)})


def _outcome(
    text: OutgoingText, status: int, headers: Mapping[str, str], answer: bytes
) -> Report | NotSent | OutcomeUnclear:
    found = _json(answer)
    code = found.get("code")
    if status == 201 and found.get("sid"):
        return report_of_resource(found, text.message_id, fence=text.fence)
    if status < 300 or status >= 500:
        return OutcomeUnclear(f"Twilio answers {status}.")
    if status == 429:
        return NotSent("Too many at once for Twilio.", _seconds(headers.get("Retry-After", "")))
    if status == 400 and code and code not in NOT_THE_TEXTS_FAULT:
        return Report(
            text.message_id,
            DeliveryStatus.FAILED,
            error_code=str(code),
            response={"status": status, "code": code, "message": found.get("message")},
            fence=text.fence,
        )
    assert text.service is not None
    log.error(
        "twilio_refuses", messaging_service_sid=text.service.sid, status=status, error_code=code
    )
    return NotSent(f"Twilio answers {status}, {code}.", LONG_WAIT_SECONDS, pauses_service=True)


def _may_be(message: Mapping[str, Any], text: OutgoingText, earliest: datetime) -> bool:
    assert text.service is not None
    return (
        _is_outbound(message)
        and message.get("messaging_service_sid") in (None, text.service.sid)
        and _moment(message.get("date_created")) >= earliest
        and is_same_body(without_media(text.text), message.get("body") or "")
    )


def _is_outbound(message: Mapping[str, Any]) -> bool:
    return str(message.get("direction", "")).startswith("outbound")


def _moment(date: object) -> datetime:
    """Of a date as in mails; unless Twilio tells it: now."""
    try:
        return parsedate_to_datetime(str(date)).astimezone(UTC)
    except ValueError:
        return clock.now()


def _json(answer: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(retry_after: str) -> float | None:
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return min(float(retry_after), LONG_WAIT_SECONDS)
    return None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


@asynccontextmanager
async def open_twilio(settings: Settings, secret: str) -> AsyncIterator[Twilio]:
    """`secret`: with which tokens are encrypted, and by which we know our own addresses."""
    connector = TCPConnector(limit=0, keepalive_timeout=KEPT_ALIVE_SECONDS)
    async with ClientSession(
        connector=connector, timeout=TIMEOUT, cookie_jar=DummyCookieJar()
    ) as client:
        yield Twilio(settings, secret, client)
