"""Who may tell us what became of a text: ours is the address, Twilio's the request.

The address that a report comes to carries the text's id and when it was accepted, signed with the
session secret: after a backup was restored the same id may be given to another. Requests
are signed by Twilio with the token of the account.
Source: Twilio's documentation of webhook security and of connection overrides.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from itsdangerous import BadSignature, Signer

REPORTS = "/twilio-message-report"
INBOUND = "/twilio"
OVERRIDES = "rc=5&rp=ct,rt,5xx"
"""Twilio tries a report again that we couldn't take: five times, within 15 seconds."""

Form = Iterable[tuple[str, str]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReportedText(NamedTuple):
    """Which text a report is of."""

    message_id: int
    accepted_at: datetime


def report_address(address: str, secret: str, text: ReportedText) -> str:
    """`address`: of this server."""
    microseconds = (text.accepted_at - _EPOCH) // timedelta(microseconds=1)
    signed = quote(_signer(secret).sign(f"{text.message_id}-{microseconds}").decode())
    return f"{address}{REPORTS}?message={signed}#{OVERRIDES}"


def reported_text(signed: str, secret: str) -> ReportedText | None:
    """Of the parameter `message` of a report's address, if the signature is ours."""
    try:
        named = _signer(secret).unsign(signed.encode()).decode()
        message_id, microseconds = map(int, named.split("-"))
    except (BadSignature, ValueError):
        return None
    return ReportedText(message_id, _EPOCH + timedelta(microseconds=microseconds))


def _signer(secret: str) -> Signer:
    return Signer(
        secret, salt="twilio-message-report", key_derivation="hmac", digest_method=hashlib.sha256
    )


def is_from_twilio(signature: str, url: str, form: Form, token: str) -> bool:
    """`url`: as Twilio called it; `form`: its fields, as they came."""
    fields = "".join(name + value for name, value in sorted(set(form)))
    return any(
        hmac.compare_digest(signature.encode(), _signature(asked + fields, token))
        for asked in _as_signed(url)
    )


def _as_signed(url: str) -> Iterator[str]:
    """Twilio names the port of an address or doesn't, and so with our wishes in its fragment."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    for authority in (host, f"{host}:{port}"):
        plain = parts._replace(netloc=str(authority), fragment="").geturl()
        yield from (plain, f"{plain}#{OVERRIDES}")


def _signature(signed: str, token: str) -> bytes:
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1"))
