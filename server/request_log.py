"""One line in the log for each request, and never a text, password, cookie or token in it."""

import secrets
import time
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schema.errors import INTERNAL, MASKED
from server.bodies import JsonResponse
from services.metrics import count_request

log = structlog.get_logger("request")
_NOTES = "spoke_credits.notes"


def note(request: HTTPConnection, **details: Any) -> None:
    """Adds to the line of this request."""
    request.scope[_NOTES].update(details)


class RequestLog:
    """Gives each request its id, which the answer carries as x-request-id, and each answer the
    headers that all share. What nobody foresaw is logged and masked here."""

    def __init__(self, app: ASGIApp, spoke_version: str | None) -> None:
        self._app = app
        headers = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin"}
        if spoke_version:
            headers["x-spoke-version"] = spoke_version
        self._headers = Headers(headers).raw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = secrets.token_hex(8)
        notes: dict[str, Any] = {"status": None}
        scope[_NOTES] = notes

        async def send_noted(message: Message) -> None:
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    notes["status"] = message["status"]
                case "websocket.accept":
                    notes["status"] = 101
                case "websocket.close":
                    notes["close"] = message["code"]
            if "headers" in message:
                own = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], own, *self._headers]
            await send(message)

        # Each request has a task of its own, and with it the context that this is kept in.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_noted)
        except Exception:
            log.exception("unforeseen_error")
            if notes["status"] is None:
                await _masked(scope, receive, send_noted)
        finally:
            seconds = time.perf_counter() - started
            if scope["type"] == "http":  # a WebSocket lasts as long as its client likes
                count_request(*_counted_as(scope, notes), seconds)
            milliseconds = round(seconds * 1000, 1)
            method, path = scope.get("method", "WEBSOCKET"), scope["path"]
            log.info("request", method=method, path=path, milliseconds=milliseconds, **notes)


def _counted_as(scope: Scope, notes: dict[str, Any]) -> tuple[str, str]:
    """Operation and code. Paths are up to clients: the route that one leads to is not."""
    codes = notes.get("codes")
    endpoint = getattr(scope.get("endpoint"), "__name__", "none")
    return notes.get("field", endpoint), codes[0] if codes else str(notes["status"])


async def _masked(scope: Scope, receive: Receive, send: Send) -> None:
    """A WebSocket that was not accepted yet is refused in the same way."""
    error = {"message": MASKED, "extensions": {"code": INTERNAL}}
    await JsonResponse({"errors": [error]}, status_code=500)(scope, receive, send)
