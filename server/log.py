"""Structured logs: JSON lines on standard error, with traces that show no data."""

import logging
import sys
import traceback
from typing import Any

import orjson
import psycopg
import structlog

from services.settings import LogLevel

CHATTY = ("alembic", "procrastinate", "uvicorn")
HEADING = "Traceback (most recent call last):\n"


def configure_logging(level: LogLevel) -> None:
    """For structlog and the libraries' own loggers."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(trace_without_data),
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
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(level.number, logging.WARNING))


def trace_without_data(exc_info: Any) -> str:
    """The chain of errors, oldest first. Of a database error only its sentence: the details that
    PostgreSQL adds quote the row, and so a text or an address."""
    error: BaseException | None = exc_info[1]
    parts: list[str] = []
    while error is not None:
        place = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"{HEADING}{place}{type(error).__name__}: {_sentence(error)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(reversed(parts))


def _sentence(error: BaseException) -> str:
    original = getattr(error, "orig", error)  # SQLAlchemy wraps the driver's
    if isinstance(original, psycopg.Error) and original.diag.message_primary:
        return f"{original.sqlstate} {original.diag.message_primary}"
    return str(error)
