"""The page on which people turn off mail about a team's running low, without signing in.

Looking at it changes nothing, since mail scanners follow links. A mail program's own button posts
to the same address, as RFC 8058 has it: the answer is no redirect, and what it posts is no matter.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl

import psycopg
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from server.bodies import BadRequest, read_body
from server.graphiql import page
from server.resources import resources_of
from services import mutes
from services.errors import ServiceUnavailable
from services.mutes import Choice, Reader, reader_of

POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "img-src data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
UNREACHABLE = (psycopg.OperationalError, OperationalError, PoolTimeout)


class Problem(NamedTuple):
    title: str
    sentence: str


BAD_LINK = Problem(
    "This link doesn't work",
    "It is incomplete, or not one of ours. Please use the link in the newest mail.",
)
UNAVAILABLE = Problem("Please try again", ServiceUnavailable.sentence)


async def show(request: Request) -> Response:
    reader = _reader(request)
    if reader is None:
        return _problem(request, BAD_LINK, 400)
    try:
        async with resources_of(request).database.reads() as session:
            choice = await mutes.get_choice(session, reader)
    except UNREACHABLE:
        return _problem(request, UNAVAILABLE, 503)
    return _shown(request, reader, choice)


async def choose(request: Request) -> Response:
    """Off, unless the form asks for the mail again."""
    reader = _reader(request)
    if reader is None:
        return _problem(request, BAD_LINK, 400)
    try:
        body = await read_body(request)
        wants_mail = ("mail", "on") in parse_qsl(body.decode(errors="replace"))
        async with resources_of(request).database.sessions.begin() as session:
            choice = await mutes.choose(session, reader, muted=not wants_mail)
    except BadRequest as error:
        return _problem(request, Problem("Please try again", error.sentence), error.status)
    except UNREACHABLE:
        return _problem(request, UNAVAILABLE, 503)
    return _shown(request, reader, choice)


def _reader(request: Request) -> Reader | None:
    token = request.query_params.get("reader", "")
    return reader_of(token, resources_of(request).secret)


def _shown(request: Request, reader: Reader, choice: Choice | None) -> Response:
    if choice is None:
        return _problem(request, BAD_LINK, 404)
    return page(
        request, "running_low_mail.html", policy=POLICY, choice=choice, address=reader.address
    )


def _problem(request: Request, problem: Problem, status: int) -> Response:
    return page(request, "running_low_mail.html", policy=POLICY, status=status, problem=problem)
