"""Signing in and out, as Spoke's client does it: a 302 is success, a 400 says why not."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import psycopg
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.bodies import BadRequest, JsonResponse, read_body, read_json_object
from server.resources import Resources, resources_of
from server.sessions import COOKIE, set_session_cookie, verified_sid
from services.errors import ServiceError, ServiceUnavailable
from services.sessions import end_session, start_session
from services.users import find_user, require_credentials


async def login_callback(request: Request) -> Response:
    try:
        fields = await _fields(request)
    except BadRequest as error:
        return _failure(error.sentence, error.status)
    if fields.get("authType", "login") != "login":
        return _failure("Unknown auth type")
    email, password = fields.get("email"), fields.get("password")
    if not isinstance(email, str) or not isinstance(password, str) or not email or not password:
        return _failure("Enter your email and your password.")
    try:
        return await _sign_in(request, email, password, fields.get("nextUrl"))
    except (psycopg.OperationalError, OperationalError, PoolTimeout):
        return _failure(ServiceUnavailable.sentence, 503)


async def _sign_in(request: Request, email: str, password: str, next_url: object) -> Response:
    resources = resources_of(request)
    address = request.client.host if request.client else ""
    if not await resources.attempts.allow(email=email, address=address):
        return _failure("Too many attempts. Please wait five minutes.", 429)
    try:
        async with resources.database.sessions() as session:
            found = await find_user(session, email=email)
        user = await require_credentials(found, password)
    except ServiceError as error:
        return _failure(str(error))
    await resources.attempts.forgive(email=email, address=address)
    response = RedirectResponse(own_path(next_url, otherwise="/"), status_code=302)
    await _new_session(response, resources, user.id)
    return response


async def _new_session(response: Response, resources: Resources, user_id: int) -> None:
    sid = await start_session(
        resources.database.pool, user_id, secure=resources.settings.secure_cookies
    )
    set_session_cookie(response, sid, resources)


async def logout_callback(request: Request) -> Response:
    resources = resources_of(request)
    if sid := verified_sid(request, resources.secret):
        await end_session(resources.database.pool, sid)
    response = RedirectResponse("/", status_code=302)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


async def _fields(request: Request) -> Mapping[str, object]:
    if request.headers.get("content-type", "").lower().startswith("application/json"):
        return await read_json_object(request)
    body = await read_body(request)
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def own_path(wanted: object, *, otherwise: str) -> str:
    """A path of this server. Browsers take two slashes, of either kind, for another server, and
    skip over blanks."""
    is_own = isinstance(wanted, str) and re.fullmatch(r"/(?![/\\])[!-~]*", wanted)
    return str(wanted) if is_own else otherwise


def _failure(message: str, status: int = 400) -> Response:
    return JsonResponse({"success": False, "message": message}, status_code=status)
