"""Writing the mail of a notice, and handing it to SendGrid, or to a file where there is no key."""

import asyncio
import logging
import re
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from python_http_client.exceptions import HTTPError  # type: ignore[import-untyped]
from sendgrid import SendGridAPIClient  # type: ignore[import-untyped]

from services import clock
from services.mutes import Reader, mute_link
from services.notice_events import signed_notice_id
from services.notices import LONGEST_ERROR, Delivery, Notice, NoticeState
from services.occasions import Occasion
from services.settings import Settings

log = structlog.get_logger("mail")
# Its debug lines hold the API key and whole mails.
logging.getLogger("python_http_client").setLevel(logging.INFO)

SENDER_NAME = "Spoke Credits"
SECONDS_TO_ANSWER = 8.0
"""Of silence. Shorter than a worker's time to stop, which waits for the mail in flight."""
LONGEST_WAIT = timedelta(hours=1)
"""Believed of a rate limit: clocks differ."""


@dataclass(frozen=True, slots=True)
class Mail:
    """`reference`: by which we know the notice in what SendGrid reports."""

    notice_id: int
    reference: str
    occasion: Occasion
    to: str
    subject: str
    text: str
    html: str
    unsubscribe_link: str | None = None


def compose(settings: Settings, secret: str, notice: Notice) -> Mail:
    """`secret`: signs the reference, and the link that mutes."""
    is_optional = notice.occasion is Occasion.RUNNING_LOW
    reader = Reader(notice.team_id, notice.address)
    link = mute_link(settings, secret, reader) if is_optional else None
    team = " ".join(notice.team_name.split())
    subject = _subject(notice, team)
    support = settings.support_email
    facts = {
        "subject": subject,
        "team": team,
        "event": notice.event,
        "is_to_superadmin": notice.is_to_superadmin,
        "support_email": support if support and support.lower() != notice.address else None,
        "link": settings.address,
        "mute_link": link,
    }
    name = notice.occasion.lower()
    return Mail(
        notice_id=notice.id,
        reference=signed_notice_id(notice.id, secret),
        occasion=notice.occasion,
        to=notice.address,
        subject=subject,
        text=_templates.get_template(f"{name}.txt").render(facts),
        html=_templates.get_template(f"{name}.html").render(facts),
        unsubscribe_link=link,
    )


def not_composed(notice_id: int, error: Exception) -> Delivery:
    """What becomes of a mail that we can't write: it certainly wasn't sent, and never will be."""
    log.error("mail_not_composed", notice_id=notice_id, exc_info=error)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Delivery(NoticeState.FAILED, error=reason[:LONGEST_ERROR])


def _subject(notice: Notice, team: str) -> str:
    if notice.occasion is Occasion.SET_UP:
        return f"{team} turned on credits: add credits to complete the set-up"
    if notice.occasion is Occasion.RUNNING_LOW:
        return f"{team} is running low on credits"
    if notice.event.is_short:
        return f"{team} is short of credits"
    return f"{team} has run out of credits"


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d, %H:%M} UTC"


def _credits(amount: int) -> str:
    return f"{amount:,} credit" if amount == 1 else f"{amount:,} credits"


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(moment=_moment, credits=_credits)


async def deliver(
    settings: Settings, mail: Mail, *, timeout_seconds: float = SECONDS_TO_ANSWER
) -> Delivery:
    """One attempt, off the event loop."""
    if settings.sendgrid_api_key is None:
        return await asyncio.to_thread(_write, settings, mail)
    key = settings.sendgrid_api_key.get_secret_value()
    return await asyncio.to_thread(_send, settings, key, mail, timeout_seconds)


def _send(settings: Settings, key: str, mail: Mail, timeout_seconds: float) -> Delivery:
    sendgrid = SendGridAPIClient(key, host=settings.sendgrid_host)
    sendgrid.client.timeout = timeout_seconds
    try:
        response = sendgrid.send(_request(settings, mail))
    except HTTPError as error:
        body = error.body.decode(errors="replace")
        return _not_accepted(error.status_code, error.headers, _shown(body, key))
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        state = NoticeState.QUEUED if _was_connecting(reason) else NoticeState.UNKNOWN
        return Delivery(state, error=_shown(f"{type(reason).__name__}: {reason}", key))
    if response.status_code != 202:
        return Delivery(NoticeState.UNKNOWN, error=f"{response.status_code}, which is not 202")
    return Delivery(NoticeState.SENT, provider_message_id=response.headers.get("X-Message-Id"))


def _request(settings: Settings, mail: Mail) -> dict[str, Any]:
    """The body of SendGrid's mail/send. Links stay as they are, opening it is not reported, and
    SendGrid adds no way out of its own: that would be one out of all our mail, forever."""
    return {
        "personalizations": [
            {"to": [{"email": mail.to}], "custom_args": {"credit_notice": mail.reference}}
        ],
        "from": {"email": settings.mail_from, "name": SENDER_NAME},
        "subject": mail.subject,
        "content": [
            {"type": "text/plain", "value": mail.text},
            {"type": "text/html", "value": mail.html},
        ],
        "headers": _headers(mail),
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }


def _headers(mail: Mail) -> dict[str, str]:
    """RFC 3834; for mail that one can do without, also RFC 8058."""
    headers = {"Auto-Submitted": "auto-generated"}
    if mail.unsubscribe_link is not None:
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe_link}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _not_accepted(status: int, headers: Any, body: str) -> Delivery:
    """SendGrid's answer beyond 2xx. Only 429 and 5xx get better by waiting."""
    error = f"{status}: {body}"
    if status == 429:
        return Delivery(NoticeState.QUEUED, error=error, retry_at=_reset(headers))
    return Delivery(NoticeState.QUEUED if status >= 500 else NoticeState.FAILED, error=error)


def _reset(headers: Any) -> datetime | None:
    """When the rate limit ends: X-RateLimit-Reset, in seconds since 1970."""
    seconds = headers.get("X-RateLimit-Reset") or ""
    if not re.fullmatch(r"[0-9]{1,11}", seconds):
        return None
    return min(datetime.fromtimestamp(int(seconds), UTC), clock.now() + LONGEST_WAIT)


def _was_connecting(error: BaseException | str) -> bool:
    """Whether it came out of http.client's connect(), which ends before a byte of the request is
    written: refused, unreachable, no such host, no TLS."""
    return isinstance(error, OSError) and any(
        frame.f_code.co_name == "connect" for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _shown(text: str, key: str) -> str:
    """What may be kept and logged: one line, not endless, without the key."""
    return " ".join(text.replace(key, "[key]").split())[:LONGEST_ERROR]


def _write(settings: Settings, mail: Mail) -> Delivery:
    outbox = settings.spoke_data_dir / "outbox"
    address = re.sub(r"[^\w@.+-]", "_", mail.to)[:150]
    path = outbox / f"{mail.notice_id:08}-{mail.occasion}-{address}.eml"
    unfinished = path.with_suffix(".part")
    try:
        outbox.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(_eml(settings, mail))
        unfinished.replace(path)
    except OSError as error:
        return Delivery(NoticeState.QUEUED, error=f"{path}: {error.strerror}")
    except Exception as error:
        return not_composed(mail.notice_id, error)
    log.info(
        "mail_written",
        notice_id=mail.notice_id,
        occasion=mail.occasion,
        address=mail.to,
        file=str(path),
    )
    return Delivery(NoticeState.SENT)


_LONG_LINES = policy.default.clone(max_line_length=998)
"""As long as mail may have them: a link must not be broken."""


def _eml(settings: Settings, mail: Mail) -> bytes:
    message = EmailMessage(policy=_LONG_LINES)
    message["From"] = formataddr((SENDER_NAME, settings.mail_from))
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(clock.now())
    for name, value in _headers(mail).items():
        message[name] = value
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message.as_bytes()
