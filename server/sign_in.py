"""Signing in and out, as Spoke's client does it: a 302 is success, a 400 says why not."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import psycopg
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models.users import User
from server.bodies import BadRequest, JsonResponse, json_object, read_body
from server.resources import Resources, resources_of
from server.sessions import COOKIE, set_session_cookie, verified_sid
from services.errors import ServiceError, ServiceUnavailable
from services.invites import Newcomer, sign_up
from services.sessions import end_session, start_session
from services.users import find_user, require_credentials

TOO_MANY = "Too many attempts. Please wait five minutes."


async def login_callback(request: Request) -> Response:
    content_type = request.headers.get("content-type", "")
    try:
        body = await read_body(request)
        fields = _fields(body, content_type)
    except BadRequest as error:
        return _failure(error.sentence, error.status)
    kind = fields.get("authType", "login")
    if kind not in ("login", "signup"):
        upstream = resources_of(request).upstream
        if upstream:
            return await upstream.answer_to(request, body, content_type)
        return _failure("Unknown auth type")
    if not _text(fields, "email") or not _text(fields, "password"):
        return _failure("Enter your email and your password.")
    try:
        return await (_sign_in if kind == "login" else _sign_up)(request, fields)
    except (psycopg.OperationalError, OperationalError, PoolTimeout):
        return _failure(ServiceUnavailable.sentence, 503)


async def _sign_in(request: Request, fields: Mapping[str, object]) -> Response:
    resources, email, address = resources_of(request), _text(fields, "email"), _address(request)
    if not await resources.attempts.allow(email=email, address=address):
        return _failure(TOO_MANY, 429)
    try:
        async with resources.database.sessions() as session:
            found = await find_user(session, email=email)
        user = await require_credentials(found, _text(fields, "password"))
    except ServiceError as error:
        return _failure(str(error))
    await resources.attempts.forgive(email=email, address=address)
    return await _let_in(resources, user, fields)


async def _sign_up(request: Request, fields: Mapping[str, object]) -> Response:
    """Counted like attempts to sign in: each costs a password's hash."""
    resources, email = resources_of(request), _text(fields, "email")
    if not await resources.attempts.allow(email=email, address=_address(request)):
        return _failure(TOO_MANY, 429)
    newcomer = Newcomer(
        email=email,
        password=_text(fields, "password"),
        password_again=_text(fields, "passwordConfirm"),
        first_name=_text(fields, "firstName"),
        last_name=_text(fields, "lastName"),
        cell=_text(fields, "cell"),
        next_url=_text(fields, "nextUrl"),
    )
    try:
        async with resources.database.sessions.begin() as session:
            user = await sign_up(session, newcomer)
    except ServiceError as error:
        return _failure(str(error))
    return await _let_in(resources, user, fields)


async def _let_in(resources: Resources, user: User, fields: Mapping[str, object]) -> Response:
    path = own_path(fields.get("nextUrl"), otherwise="/")
    response = RedirectResponse(path, status_code=302)
    sid = await start_session(
        resources.database.pool, user.id, secure=resources.settings.secure_cookies
    )
    set_session_cookie(response, sid, resources)
    return response


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _text(fields: Mapping[str, object], name: str) -> str:
    """Empty where it is missing, or no text."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


async def logout_callback(request: Request) -> Response:
    resources = resources_of(request)
    if sid := verified_sid(request, resources.secret):
        await end_session(resources.database.pool, sid)
    response = RedirectResponse("/", status_code=302)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def _fields(body: bytes, content_type: str) -> Mapping[str, object]:
    if content_type.lower().startswith("application/json"):
        return json_object(body)
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def own_path(wanted: object, *, otherwise: str) -> str:
    """A path of this server. Browsers take two slashes, of either kind, for another server, and
    skip over blanks."""
    is_own = isinstance(wanted, str) and re.fullmatch(r"/(?![/\\])[!-~]*", wanted)
    return str(wanted) if is_own else otherwise


def _failure(message: str, status: int = 400) -> Response:
    return JsonResponse({"success": False, "message": message}, status_code=status)
