"""What Twilio tells by itself: what became of a text, and texts that come in.

Nothing is believed that isn't signed by Twilio, with the token of the account in question, and a
report must also come to the address that we made for its text. Where the database doesn't answer,
or somebody holds the team's account, the answer is a 503, after which Twilio tries again.
"""

from contextlib import suppress
from urllib.parse import parse_qsl

import structlog
from psycopg.errors import DeadlockDetected, LockNotAvailable
from starlette.requests import Request
from starlette.responses import Response

from models.database import driver_connection
from server.bodies import BadRequest, read_body
from server.request_log import note
from server.resources import Resources, resources_of
from services.auth_tokens import CannotDecrypt, decrypted
from services.errors import Forbidden
from services.inbound_texts import InboundText, Saved, save_inbound
from services.providers import MessagingService
from services.twilio_signatures import is_from_twilio, reported_text
from services.twilio_texts import inbound_text, report_of_callback

log = structlog.get_logger("webhooks")

MOST_FIELDS = 200
ATTEMPTS = 3
NOTHING_TO_SAY = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""To somebody who sent a text, in Twilio's language."""

Fields = list[tuple[str, str]]


async def message_report(request: Request) -> Response:
    """Repeated, reordered and late ones change nothing that they shouldn't."""
    resources = resources_of(request)
    text = reported_text(request.query_params.get("message", ""), resources.secret)
    if text is None:
        if resources.upstream:  # of a text that Spoke has sent
            return await resources.upstream.answer(request)
        raise Forbidden
    fields = await _fields(request)
    service = await resources.services_of_texts.ask(text.message_id)
    if service is not None:  # it may have been removed since
        _require_signature(request, resources, fields, service)
    report = report_of_callback(dict(fields), text)
    note(request, message_id=text.message_id, reported=report.status)
    applied = await resources.reports.write(report)
    if applied.moved_team_id is not None:
        resources.bell.ring([applied.moved_team_id])
    return Response(status_code=204)


async def inbound(request: Request) -> Response:
    resources = resources_of(request)
    fields = await _fields(request)
    text = inbound_text(dict(fields))
    service = await resources.messaging_services.ask(text.messaging_service_sid)
    if service is None:
        raise Forbidden
    _require_signature(request, resources, fields, service)
    note(request, inbound=await _saved(resources, text))
    return Response(NOTHING_TO_SAY, media_type="text/xml")


async def _saved(resources: Resources, text: InboundText) -> Saved:
    """Tried again where others' locks prevented it: Twilio may not bring it again."""
    for _ in range(ATTEMPTS - 1):
        with suppress(DeadlockDetected, LockNotAvailable):
            return await _saved_now(resources, text)
    return await _saved_now(resources, text)


async def _saved_now(resources: Resources, text: InboundText) -> Saved:
    async with resources.database.sessions.begin() as session:
        connection = await driver_connection(session)
        return await save_inbound(connection, resources.settings, text)


async def _fields(request: Request) -> Fields:
    """Of the form, as they came. Raises BadRequest (400, 413)."""
    body = await read_body(request)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadRequest(400, "BAD_REQUEST", "The body is not a form.") from None


def _require_signature(
    request: Request, resources: Resources, fields: Fields, service: MessagingService
) -> None:
    """Over the address by which Twilio knows us: proxies may call us by another. Raises
    Forbidden."""
    query = request.scope["query_string"].decode("latin-1")
    address = resources.settings.address + request.url.path + (f"?{query}" if query else "")
    try:
        token = decrypted(service.encrypted_auth_token, resources.secret)
    except CannotDecrypt:
        log.error("auth_token_unreadable", messaging_service_sid=service.sid)
        raise Forbidden from None
    if not is_from_twilio(request.headers.get("x-twilio-signature", ""), address, fields, token):
        log.warning("not_from_twilio", messaging_service_sid=service.sid)
        raise Forbidden
