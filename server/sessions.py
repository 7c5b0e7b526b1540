"""The session cookie, signed as express-session signs it, and who it stands for."""

import base64
import hmac
from functools import lru_cache
from urllib.parse import quote, unquote

from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.resources import Resources
from services.access import Actor
from services.sessions import LIFETIME, SignIn

COOKIE = "connect.sid"
LONGEST_COOKIE = 500
"""Characters; express-session's have some 100. Memory is kept for them."""
_BEARER = "bearer "


def signed(sid: str, secret: str) -> str:
    """`s:<sid>.<HMAC-SHA256 in base64 without padding>`, percent-encoded."""
    return quote(_signed(sid, secret), safe="")


def _signed(sid: str, secret: str) -> str:
    digest = hmac.digest(secret.encode(), sid.encode(), "sha256")
    signature = base64.b64encode(digest).decode().rstrip("=")
    return f"s:{sid}.{signature}"


def verified_sid(connection: HTTPConnection, secret: str) -> str | None:
    """The sid of the cookie, if its signature is ours."""
    cookie = connection.cookies.get(COOKIE, "")
    return _genuine_sid(cookie, secret) if len(cookie) <= LONGEST_COOKIE else None


@lru_cache(maxsize=4096)
def _genuine_sid(cookie: str, secret: str) -> str | None:
    """Remembered, since browsers send the same cookie again and again; never whose it is."""
    cookie = unquote(cookie)
    sid = cookie.removeprefix("s:").rpartition(".")[0]
    genuine = hmac.compare_digest(cookie.encode(), _signed(sid, secret).encode())
    return sid if sid and genuine else None


def sign_in_of(connection: HTTPConnection, resources: Resources) -> SignIn | None:
    """`Authorization: Bearer` if it is there, else the cookie."""
    if token := bearer_of(connection.headers.get("authorization", "")):
        return token
    sid = verified_sid(connection, resources.secret)
    return SignIn(sid, is_token=False) if sid else None


def bearer_of(authorization: str) -> SignIn | None:
    if authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return SignIn(authorization[len(_BEARER) :].strip(), is_token=True)


async def signed_in(connection: HTTPConnection, resources: Resources) -> Actor | None:
    return await actor_of(sign_in_of(connection, resources), resources)


async def actor_of(sign_in: SignIn | None, resources: Resources) -> Actor | None:
    return await resources.sign_ins.ask(sign_in) if sign_in else None


def set_session_cookie(response: Response, sid: str, resources: Resources) -> None:
    response.set_cookie(
        COOKIE,
        signed(sid, resources.secret),
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=resources.settings.secure_cookies,
    )
