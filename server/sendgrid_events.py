"""POST /sendgrid-events: SendGrid's signed event webhook, which tells what became of each mail."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.bodies import BadRequest, read_body
from server.resources import resources_of
from services import clock
from services.notice_events import STATES, NoticeEvent, record_events, verified_notice_id
from services.notices import LONGEST_ERROR
from services.sendgrid_signature import is_genuine

MOST_BYTES = 1024 * 1024
"""SendGrid gathers events, but not so many."""
LONGEST_ID = 200
OLDEST = timedelta(hours=25)
"""SendGrid repeats what wasn't taken for a day. A repeat of what was does nothing."""
FASTEST_CLOCK = timedelta(minutes=5)
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


async def sendgrid_events(request: Request) -> Response:
    """What is not about our notices is taken and passed over: SendGrid would repeat it.

    Raises BadRequest (400, 403, 413).
    """
    resources = resources_of(request)
    key = resources.settings.sendgrid_webhook_key
    if key is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    body = await read_body(request, most=MOST_BYTES)
    _require_signature(request, key, body)
    if events := _events(body, resources.secret):
        async with resources.database.sessions.begin() as session:
            await record_events(session, events)
    return PlainTextResponse("ok")


def _require_signature(request: Request, key: str, body: bytes) -> None:
    """Raises BadRequest (403)."""
    timestamp = request.headers.get(TIMESTAMP, "")
    signature = request.headers.get(SIGNATURE, "")
    if not is_genuine(key, timestamp=timestamp, body=body, signature=signature):
        raise BadRequest(403, "BAD_SIGNATURE", "This was not signed with SENDGRID_WEBHOOK_KEY.")
    signed_at = _moment(timestamp)
    now = clock.now()
    if signed_at is None or not now - OLDEST <= signed_at <= now + FASTEST_CLOCK:
        raise BadRequest(403, "OLD_SIGNATURE", "This was signed too long ago, or not yet.")


def _events(body: bytes, secret: str) -> list[NoticeEvent]:
    """Raises BadRequest (400)."""
    try:
        items = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest(400, "BAD_REQUEST", "The body is not JSON.") from None
    if not isinstance(items, list):
        raise BadRequest(400, "BAD_REQUEST", "The body is not a list.")
    return [event for item in items if (event := _event(item, secret))]


def _event(item: Any, secret: str) -> NoticeEvent | None:
    """None for events of other mail, and of no importance. custom_args are among the fields."""
    if not isinstance(item, dict):
        return None
    # PostgreSQL takes no zero bytes, and a reason may come from any mail server of the world.
    texts = {
        name: value.replace("\0", "") for name, value in item.items() if isinstance(value, str)
    }
    event_id, kind = texts.get("sg_event_id", ""), texts.get("event", "")
    notice_id = verified_notice_id(texts.get("credit_notice", ""), secret)
    happened_at = _moment(str(item.get("timestamp")))
    if notice_id is None or happened_at is None or kind not in STATES:
        return None
    if not 1 <= len(event_id) <= LONGEST_ID:
        return None
    reason = texts.get("reason") or texts.get("response")
    return NoticeEvent(
        id=event_id,
        notice_id=notice_id,
        address=texts.get("email", ""),
        kind=kind,
        happened_at=happened_at,
        provider_message_id=texts.get("sg_message_id", "").partition(".")[0] or None,
        reason=" ".join(reason.split())[:LONGEST_ERROR] if reason else None,
    )


def _moment(seconds: str) -> datetime | None:
    """Of seconds since 1970."""
    if not re.fullmatch(r"[0-9]{1,11}", seconds):
        return None
    return datetime.fromtimestamp(int(seconds), UTC)
