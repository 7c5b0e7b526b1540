"""One structured line for each request, and never a text, password, cookie or token in it."""

import logging
import secrets
import sys
import time
from typing import Any

import orjson
import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.settings import LogLevel

log = structlog.get_logger("request")
_NOTES = "spoke_credits.notes"


def configure_logging(level: LogLevel) -> None:
    """JSON lines on standard error, from structlog and from the libraries' own loggers."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=orjson.dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared
        )
    )
    logging.basicConfig(level=level.value, handlers=[handler], force=True)
    for chatty in ("alembic", "procrastinate", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(level.number, logging.WARNING))


def note(request: Request, **details: Any) -> None:
    """Adds to the line of this request."""
    request.scope[_NOTES].update(details)


class RequestLog:
    """Also gives each request its id, which answers carry as x-request-id."""

    def __init__(self, app: ASGIApp, spoke_version: str | None) -> None:
        self._app = app
        self._spoke_version = spoke_version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = secrets.token_hex(8)
        notes: dict[str, Any] = {"status": 500}
        scope[_NOTES] = notes

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                notes["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "same-origin"
                if self._spoke_version:
                    headers["x-spoke-version"] = self._spoke_version
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_noted)
            finally:
                milliseconds = round((time.perf_counter() - started) * 1000, 1)
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    milliseconds=milliseconds,
                    **notes,
                )
