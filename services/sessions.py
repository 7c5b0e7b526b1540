"""Who is signed in: session rows as Spoke writes them, and tokens for scripts."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.users import ApiToken, User
from services import clock
from services.access import Actor
from services.errors import NotFound

LIFETIME = timedelta(days=30)
TOKEN_PREFIX = "spoke_"

Pool = AsyncConnectionPool[AsyncConnection]


class SignIn(NamedTuple):
    """What somebody showed to be let in: the sid of a session, or a token."""

    secret: str
    is_token: bool


async def actors_of_sign_ins(
    connection: AsyncConnection, sign_ins: Sequence[SignIn]
) -> list[Actor | None]:
    """For each its person. At most two statements."""
    found: dict[SignIn, Actor | None] = {}
    for is_token, read in ((False, actors_of_sessions), (True, actors_of_tokens)):
        if asked := {one for one in sign_ins if one.is_token is is_token}:
            actors = await read(connection, [one.secret for one in asked])
            found.update(zip(asked, actors, strict=True))
    return [found[one] for one in sign_ins]


async def actors_of_sessions(
    connection: AsyncConnection, sids: Sequence[str]
) -> list[Actor | None]:
    """For each session its person, unless it has expired or they are suspended. One statement.

    A session's 30 days start anew, at most once an hour.
    """
    return await _actors(connection, _BY_SESSION, sids)


async def actors_of_tokens(
    connection: AsyncConnection, tokens: Sequence[str]
) -> list[Actor | None]:
    """For each token the person for whom a script acts, unless suspended or it was revoked."""
    return await _actors(connection, _BY_TOKEN, [_hash(token) for token in tokens])


async def _actors(
    connection: AsyncConnection, statement: str, keys: Sequence[str] | Sequence[bytes]
) -> list[Actor | None]:
    cursor = await connection.execute(statement, {"keys": list(keys)}, prepare=True)
    found = {row[0]: Actor(*row[1:]) for row in await cursor.fetchall()}
    return [found.get(key) for key in keys]


async def start_session(pool: Pool, user_id: int, *, secure: bool) -> str:
    """Returns the new session's sid: 24 random bytes, as express-session makes them."""
    sid = secrets.token_urlsafe(24)
    expires = clock.now() + LIFETIME
    async with pool.connection() as connection:
        await connection.execute(
            "insert into user_session (sid, sess, expire) values (%s, %s, %s)",
            [sid, orjson.dumps(_sess(user_id, expires, secure)).decode(), expires],
        )
    return sid


async def end_session(pool: Pool, sid: str) -> None:
    async with pool.connection() as connection:
        await connection.execute("delete from user_session where sid = %s", [sid])


def _sess(user_id: int, expires: datetime, secure: bool) -> dict[str, object]:
    return {
        "cookie": {
            "originalMaxAge": int(LIFETIME.total_seconds() * 1000),
            "expires": expires.strftime("%Y-%m-%dT%H:%M:%S.")
            + f"{expires.microsecond // 1000:03}Z",
            "secure": secure,
            "httpOnly": True,
            "path": "/",
        },
        "passport": {"user": user_id},
    }


async def create_token(session: AsyncSession, *, email: str, name: str) -> str:
    """Returns the secret, which is shown once and not kept. Raises NotFound."""
    user_id = await session.scalar(select(User.id).where(User.email == email))
    if user_id is None:
        raise NotFound(f"There is nobody with the e-mail {email}.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(ApiToken(user_id=user_id, name=name, token_hash=_hash(token)))
    return token


async def list_tokens(session: AsyncSession) -> list[tuple[ApiToken, str]]:
    """Each token that is not revoked, with its person's e-mail."""
    rows = await session.execute(
        select(ApiToken, User.email)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id)
    )
    return [(token, email) for token, email in rows]


async def revoke_token(session: AsyncSession, *, token_id: int) -> None:
    """Raises NotFound for a token that doesn't exist or is revoked already."""
    revoked = await session.scalar(
        update(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(ApiToken.id)
    )
    if revoked is None:
        raise NotFound("There is no such token, or it is revoked already.")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


_PERSON = """u.id, trim(u.first_name || ' ' || u.last_name), coalesce(u.is_superadmin, false)"""

_BY_SESSION = f"""
with session as (
  select sid, user_id, expire from user_session where sid = any(%(keys)s) and expire > now()
),
extended as (
  update user_session s
  set expire = now() + interval '30 days',
    sess = jsonb_set(s.sess::jsonb, '{{cookie,expires}}', to_jsonb(to_char(
      (now() + interval '30 days') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::json
  from session
  where s.sid = session.sid and session.expire < now() + interval '30 days' - interval '1 hour'
)
select s.sid, {_PERSON} from session s join "user" u on u.id = s.user_id where not u.is_suspended
"""

_BY_TOKEN = f"""
select t.token_hash, {_PERSON} from api_token t join "user" u on u.id = t.user_id
where t.token_hash = any(%(keys)s) and t.revoked_at is null and not u.is_suspended
"""
