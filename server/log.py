"""Structured logs: JSON lines on standard error, with traces that show no data."""

import logging
import sys
import traceback
from collections.abc import Iterator
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
    """The chain of errors, oldest first, those of a group before the group. Of a database error
    only its sentence: the details that PostgreSQL adds quote the row, and so a text or an
    address."""
    return "\n\n".join(_traces(exc_info[1], set()))


def _traces(error: BaseException | None, told: set[int]) -> Iterator[str]:
    """Each error once: one that was raised again out of its group has the group behind it, too."""
    if error is None or id(error) in told:
        return
    told.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    yield from _traces(cause, told)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _traces(one, told)
    place = "".join(traceback.format_tb(error.__traceback__))
    yield f"{HEADING}{place}{type(error).__name__}: {_sentence(error)}"


def _sentence(error: BaseException) -> str:
    original = getattr(error, "orig", error)  # SQLAlchemy wraps the driver's
    if isinstance(original, psycopg.Error) and original.diag.message_primary:
        return f"{original.sqlstate} {original.diag.message_primary}"
    return str(error)
