"""Signing in and out, in the format of Spoke: each can read the sessions that the other wrote."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import psycopg
import pytest

from models.database import Database
from server.app import create_app
from server.demo import PASSWORD
from server.resources import Resources
from services.errors import NotFound
from services.passwords import hash_password
from services.sessions import create_token, list_tokens, revoke_token
from tests.conftest import SECRET
from tests.test_teams import statements

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
DAYS_30 = timedelta(days=30)
WHO = "{ currentUser { email } }"
LOGIN = {"authType": "login", "email": "texter@example.org", "password": PASSWORD}
HTTPS = {"base_url": "https://spoke.example.org"}


@pytest.fixture
async def connection(demo_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(demo_url, autocommit=True) as connection:
        yield connection


def as_express_signs(sid: str, secret: str = SECRET) -> str:
    """The cookie's value by the description of cookie-signature and encodeURIComponent."""
    block = 64
    key = secret.encode().ljust(block, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + sid.encode()).digest()
    digest = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
    signature = base64.b64encode(digest).decode().rstrip("=")
    return "s%3A" + f"{sid}.{signature}".replace("+", "%2B").replace("/", "%2F")


def as_spoke_writes(user_id: int | None, expires: datetime) -> str:
    sess: dict[str, Any] = {
        "cookie": {
            "originalMaxAge": 2592000000,
            "expires": expires.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "secure": False,
            "httpOnly": True,
            "path": "/",
        },
        "passport": {} if user_id is None else {"user": user_id},
    }
    return json.dumps(sess)


async def insert_session(
    connection: Connection, user_id: int | None, *, lasts: timedelta = DAYS_30
) -> str:
    """Returns its sid."""
    sid = secrets.token_urlsafe(24)
    expires = datetime.now(UTC) + lasts
    await connection.execute(
        "insert into user_session (sid, sess, expire) values (%s, %s, %s)",
        [sid, as_spoke_writes(user_id, expires), expires],
    )
    return sid


async def user_id_of(connection: Connection, email: str) -> int:
    cursor = await connection.execute('select id from "user" where email = %s', [email])
    row = await cursor.fetchone()
    assert row
    return int(row[0])


async def who(
    client: httpx2.AsyncClient,
    cookie: str | None = None,
    *,
    authorization: str | None = None,
    headers: dict[str, str] | None = None,
) -> str | None:
    """The e-mail of the person whom the server sees."""
    headers = dict(headers or {})
    if cookie is not None:
        headers["cookie"] = f"connect.sid={cookie}"
    if authorization is not None:
        headers["authorization"] = authorization
    response = await client.post("/graphql", json={"query": WHO}, headers=headers)
    user = response.json()["data"]["currentUser"]
    return user and str(user["email"])


async def test_session_that_spoke_wrote_signs_in_here(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    user_id = await user_id_of(connection, "owner@example.org")
    # So many that each character of base64 occurs in a signature.
    for _ in range(20):
        sid = await insert_session(connection, user_id)
        assert await who(client, as_express_signs(sid)) == "owner@example.org"
    among_others = f"a=b; connect.sid={as_express_signs(sid)}; theme=dark"
    assert await who(client, headers={"cookie": among_others}) == "owner@example.org"


async def test_cookies_that_do_not_sign_in(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    user_id = await user_id_of(connection, "owner@example.org")
    sid = await insert_session(connection, user_id)
    other_sid = await insert_session(connection, user_id)
    genuine = as_express_signs(sid)
    expired = await insert_session(connection, user_id, lasts=timedelta(seconds=-1))
    nobody = await insert_session(connection, None)
    gone = await insert_session(connection, 987654)
    signature = genuine.partition(".")[2]
    cookies = {
        "expired": as_express_signs(expired),
        "nobody's": as_express_signs(nobody),
        "of a person who is gone": as_express_signs(gone),
        "unknown sid": as_express_signs("A" * 32),
        "empty sid": as_express_signs(""),
        "sid alone": sid,
        "unsigned": f"s%3A{sid}",
        "empty signature": f"s%3A{sid}.",
        "without s:": genuine.removeprefix("s%3A"),
        "signed with another secret": as_express_signs(sid, "another-secret-for-tests"),
        "with the signature of another": f"s%3A{other_sid}.{signature}",
        "shortened": genuine[:-1],
        "lengthened": genuine + "A",
        "padded": genuine + "%3D",
        "sid in other case": genuine.replace(sid, sid.swapcase()),
        "empty": "",
        "rubbish": "%ff%00\"; .",
    }  # fmt: skip
    assert await who(client, genuine) == "owner@example.org"
    found = {name: await who(client, cookie) for name, cookie in cookies.items()}
    assert found == dict.fromkeys(cookies)


async def log_in(client: httpx2.AsyncClient, **fields: Any) -> httpx2.Response:
    client.cookies.clear()
    response = await client.post("/login-callback", json=LOGIN | fields)
    client.cookies.clear()
    return response


def cookie_of(response: httpx2.Response) -> str:
    return SimpleCookie(response.headers["set-cookie"])["connect.sid"].value


@pytest.mark.usefixtures("cheap_passwords")
async def test_session_that_is_written_here_has_the_format_of_spoke(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    response = await log_in(client)
    cookie = cookie_of(response)
    sid = cookie.removeprefix("s%3A").partition(".")[0]
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", sid)
    assert cookie == as_express_signs(sid)
    cursor = await connection.execute(
        "select sess, expire, user_id, json_typeof(sess->'passport'->'user') "
        "from user_session where sid = %s",
        [sid],
    )
    row = await cursor.fetchone()
    assert row
    sess, expire, user_id, kind = row
    assert (user_id, kind) == (await user_id_of(connection, "texter@example.org"), "number")
    assert abs(expire - datetime.now(UTC) - DAYS_30) < timedelta(minutes=1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", sess["cookie"]["expires"])
    shown = datetime.fromisoformat(sess["cookie"].pop("expires"))
    assert abs(shown - expire) < timedelta(milliseconds=1)
    assert sess == {
        "cookie": {"originalMaxAge": 2592000000, "secure": False, "httpOnly": True, "path": "/"},
        "passport": {"user": user_id},
    }
    assert await who(client, cookie) == "texter@example.org"
    assert cookie_of(await log_in(client)) != cookie


async def test_finding_out_who_asks_takes_one_statement(
    client: httpx2.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = as_express_signs(await insert_session(connection, 1))
    stale = as_express_signs(await insert_session(connection, 1, lasts=timedelta(days=3)))
    cases = {
        f"connect.sid={cookie}": 1,
        f"connect.sid={stale}": 1,
        f"connect.sid={cookie[:-1]}": 0,
        "": 0,
    }
    await who(client, cookie)
    found = {}
    for header in cases:
        with statements(monkeypatch) as sent:
            response = await client.post(
                "/graphql", json={"query": "{ __typename }"}, headers={"cookie": header}
            )
        assert response.json() == {"data": {"__typename": "RootQuery"}}
        found[header] = len(sent)
    assert found == cases


@pytest.mark.parametrize(
    ("since_extended", "is_extended"),
    [
        (timedelta(minutes=59), False),
        (timedelta(minutes=61), True),
        (timedelta(days=29, hours=23), True),
    ],
)
async def test_session_is_extended_once_an_hour(
    client: httpx2.AsyncClient,
    connection: Connection,
    since_extended: timedelta,
    is_extended: bool,
) -> None:
    sid = await insert_session(connection, 1, lasts=DAYS_30 - since_extended)

    async def row() -> tuple[Any, ...]:
        cursor = await connection.execute(
            "select xmin::text, ctid::text, expire, sess from user_session where sid = %s", [sid]
        )
        found = await cursor.fetchone()
        assert found
        return found

    before = await row()
    assert await who(client, as_express_signs(sid)) == "superadmin@example.org"
    after = await row()
    if not is_extended:
        # Not even written anew with the same content.
        assert after == before
        return
    *_, expire, sess = after
    assert abs(expire - datetime.now(UTC) - DAYS_30) < timedelta(minutes=1)
    shown = sess["cookie"].pop("expires")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown)
    assert abs(datetime.fromisoformat(shown) - expire) < timedelta(milliseconds=1)
    del before[3]["cookie"]["expires"]
    assert sess == before[3]
    assert await who(client, as_express_signs(sid)) == "superadmin@example.org"
    assert (await row())[:2] == after[:2]


async def test_refused_cookies_extend_nothing(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    expired = await insert_session(connection, 1, lasts=timedelta(minutes=-1))
    forged = await insert_session(connection, 1, lasts=timedelta(days=3))
    rows = "select sid, expire from user_session where sid = any(%s) order by sid"
    before = await (await connection.execute(rows, [[expired, forged]])).fetchall()
    assert await who(client, as_express_signs(expired)) is None
    assert await who(client, as_express_signs(forged)[:-1]) is None
    after = await (await connection.execute(rows, [[expired, forged]])).fetchall()
    assert after == before


@pytest.mark.parametrize(
    ("settings", "is_secure"), [({}, False), (HTTPS, True)], indirect=["settings"]
)
@pytest.mark.usefixtures("cheap_passwords")
async def test_signing_in_is_a_redirect_with_a_cookie(
    client: httpx2.AsyncClient, connection: Connection, is_secure: bool
) -> None:
    bodies: list[dict[str, Any]] = [
        {"json": LOGIN},
        {"data": LOGIN | {"email": "TEXTER@Example.org"}},
    ]
    for body in bodies:
        response = await client.post("/login-callback", **body)
        assert (response.status_code, response.headers["location"]) == (302, "/")
        name, _, rest = response.headers["set-cookie"].partition("=")
        value, *attributes = (part.strip().lower() for part in rest.split(";"))
        assert name == "connect.sid"
        assert value
        expected = {"path=/", "httponly", "samesite=lax", "max-age=2592000"}
        assert set(attributes) == expected | ({"secure"} if is_secure else set())
    cursor = await connection.execute("select sess->'cookie'->'secure' from user_session")
    assert await cursor.fetchall() == [(is_secure,)] * 2


@pytest.mark.usefixtures("cheap_passwords")
async def test_after_signing_in_one_stays_on_this_server(client: httpx2.AsyncClient) -> None:
    own = "/app/1/todos?next=/app/1&x=2#top"
    wishes = [own, "//evil", "/\\evil", "https://evil", None]
    # Browsers leave out blanks within addresses: what remained would be another site, or a header.
    blanks = ["/\t/evil", "/a\r\nSet-Cookie: a=b"]
    responses = await asyncio.gather(
        *(client.post("/login-callback", json=LOGIN | {"nextUrl": url}) for url in wishes + blanks)
    )
    locations = [response.headers["location"] for response in responses]
    assert locations[: len(wishes)] == [own, *["/"] * (len(wishes) - 1)]
    for location in locations[len(wishes) :]:
        assert re.fullmatch(r"/([!-.0-\[\]-~][!-\[\]-~]*)?", location)
    for response in responses:
        assert len(response.headers.get_list("set-cookie")) == 1


WRONG = {"success": False, "message": "Invalid username or password"}


@pytest.mark.usefixtures("cheap_passwords")
async def test_wrong_password_and_unknown_person_are_told_the_same(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    await connection.execute(
        """update "user" set auth0_id = 'auth0|0123456789' where email = 'admin@example.org'"""
    )
    attempts = (
        {"password": PASSWORD.upper()},
        {"email": "nobody@example.org"},
        {"email": "admin@example.org"},
        {"email": "texter%"},
    )
    responses = await asyncio.gather(
        *(client.post("/login-callback", json=LOGIN | fields) for fields in attempts)
    )
    for response in responses:
        assert (response.status_code, response.json()) == (400, WRONG)
        assert "set-cookie" not in response.headers
    rows = await connection.execute("select from user_session")
    assert rows.rowcount == 0


async def test_password_as_spoke_keeps_it(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    """The salt is hex, and its characters are the salt, not the bytes they stand for."""
    salt = "00112233445566778899aabbccddeeff" * 2
    derived = hashlib.pbkdf2_hmac("sha1", "pässword".encode(), salt.encode("ascii"), 25_000, 512)
    await connection.execute(
        """update "user" set auth0_id = %s where email = 'admin@example.org'""",
        [f"localauth|{salt}|{derived.hex()}"],
    )
    good = {"email": "admin@example.org", "password": "pässword"}
    assert (await log_in(client, **good)).status_code == 302
    scheme, own_salt, own = (await hash_password("pässword")).split("|")
    derived = hashlib.pbkdf2_hmac("sha1", "pässword".encode(), own_salt.encode(), 25_000, 512)
    assert (scheme, own, len(own_salt)) == ("localauth", derived.hex(), 64)


@pytest.mark.usefixtures("cheap_passwords")
async def test_suspended_person_is_told_so_after_the_right_password_only(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    await connection.execute(
        """update "user" set is_suspended = true where email = 'texter@example.org'"""
    )
    response = await log_in(client)
    sentence = "Your account is suspended. Contact your administrator."
    assert (response.status_code, response.json()["message"]) == (400, sentence)
    assert "set-cookie" not in response.headers
    assert (await log_in(client, password="wrong")).json() == WRONG


UNREADABLE: dict[str, tuple[int, dict[str, Any]]] = {
    "no e-mail": (400, {"json": {"password": "x"}}),
    "no password": (400, {"json": {"email": "texter@example.org"}}),
    "empty e-mail": (400, {"json": LOGIN | {"email": ""}}),
    "empty password": (400, {"json": LOGIN | {"password": ""}}),
    "null e-mail": (400, {"json": LOGIN | {"email": None}}),
    "e-mail as a list": (400, {"json": LOGIN | {"email": ["texter@example.org"]}}),
    "password as a number": (400, {"json": LOGIN | {"password": 5}}),
    "NUL in the e-mail": (400, {"json": LOGIN | {"email": "texter\0@example.org"}}),
    "NUL in the password": (400, {"json": LOGIN | {"password": "\0"}}),
    "long e-mail": (400, {"json": LOGIN | {"email": "x" * 321}}),
    "long password": (400, {"json": LOGIN | {"password": "x" * 1001}}),
    "no fields": (400, {"json": {}}),
    "a list": (400, {"json": [LOGIN]}),
    "no JSON": (400, {"content": b"{", "headers": {"content-type": "application/json"}}),
    "empty body": (400, {"content": b""}),
    "form without a password": (400, {"data": {"email": "texter@example.org"}}),
    "form with NUL": (400, {"data": LOGIN | {"email": "texter\0"}}),
    "form that isn't UTF-8": (400, {"content": b"email=%ff&password=%ff"}),
    "too large": (413, {"json": LOGIN | {"nextUrl": "/" * 300_000}}),
    "signing up": (400, {"json": LOGIN | {"authType": "signup"}}),
    "resetting": (400, {"json": LOGIN | {"authType": "reset"}}),
    "something else": (400, {"json": LOGIN | {"authType": "magic"}}),
    "no type": (400, {"json": LOGIN | {"authType": None}}),
}  # fmt: skip


async def test_what_is_no_attempt_to_sign_in(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    found = {}
    messages = {}
    for name, (_, request) in UNREADABLE.items():
        response = await client.post("/login-callback", **request)
        body = response.json()
        found[name] = response.status_code
        messages[name] = body["message"]
        assert body == {"success": False, "message": messages[name]}
        assert "set-cookie" not in response.headers
    assert found == {name: status for name, (status, _) in UNREADABLE.items()}
    assert all(messages.values())
    unknown = [name for name, message in messages.items() if message == "Unknown auth type"]
    assert unknown == ["resetting", "something else", "no type"]
    rows = await connection.execute("select from user_session")
    assert rows.rowcount == 0


async def seconds_to_hash() -> float:
    started = time.perf_counter()
    await hash_password(PASSWORD)
    return time.perf_counter() - started


async def longest_stall(client: httpx2.AsyncClient, meanwhile: list[asyncio.Task[Any]]) -> float:
    """The longest time between two answers of /healthz, while these tasks run."""
    longest, last = 0.0, time.perf_counter()
    while not all(task.done() for task in meanwhile):
        assert (await client.get("/healthz")).text == "ok"
        # The answer comes from this very process, without waiting for anything.
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


async def test_the_server_answers_while_passwords_are_checked(client: httpx2.AsyncClient) -> None:
    people = ("owner", "admin", "supervolunteer", "texter")
    hashing = await seconds_to_hash()
    stalls = []
    # On a busy machine a stall may be nobody's fault; one that comes every time is the hash.
    for _ in range(3):
        logins = [
            asyncio.create_task(
                client.post("/login-callback", json=LOGIN | {"email": f"{name}@example.org"})
            )
            for name in people
        ]
        stalls.append(await longest_stall(client, logins))
        assert [(await login).status_code for login in logins] == [302] * 4
        if stalls[-1] < hashing / 2:
            break
    assert min(stalls) < hashing / 2


@pytest.mark.parametrize("settings", [{"database_pool_size": 2}], indirect=True)
async def test_passwords_are_checked_without_keeping_a_connection(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    """Or a crowd that signs in would keep everybody else waiting."""
    cookie = as_express_signs(await insert_session(connection, 1))
    headers = {"cookie": f"connect.sid={cookie}"}
    payload = {"query": "{ teams(limit: 1) { teams { id } } }"}
    assert (await client.post("/graphql", json=payload, headers=headers)).json()["data"]
    finished = []

    async def login(number: int) -> None:
        await client.post("/login-callback", json=LOGIN | {"email": f"{number}@example.org"})
        finished.append("login")

    async def ask() -> None:
        await client.post("/graphql", json=payload, headers=headers)
        finished.append("question")

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(login(number))
        # The logins have begun to hash when somebody asks.
        await asyncio.sleep(0.05)
        group.create_task(ask())
    assert finished.index("question") <= 1


@pytest.mark.usefixtures("cheap_passwords")
async def test_too_many_attempts_on_one_person(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    """Ten are let through, all at once too, and in whatever case the e-mail is written."""
    for _ in range(8):
        assert await resources.attempts.allow(email=LOGIN["email"], address="127.0.0.1")
    emails = ["texter@example.org", "TEXTER@example.org"] * 2
    responses = await asyncio.gather(
        *(
            client.post("/login-callback", json=LOGIN | {"password": f"guess {n}", "email": email})
            for n, email in enumerate(emails)
        )
    )
    assert sorted(response.status_code for response in responses) == [400, 400, 429, 429]
    refused = next(response for response in responses if response.status_code == 429)
    assert refused.json() == {
        "success": False,
        "message": "Too many attempts. Please wait five minutes.",
    }
    # The right password is not told from a wrong one any more; other people are not concerned.
    assert (await log_in(client)).status_code == 429
    assert (await log_in(client, email="owner@example.org")).status_code == 302


@pytest.mark.usefixtures("cheap_passwords")
async def test_a_success_forgives_the_attempts_before_it(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    for _ in range(9):
        assert await resources.attempts.allow(email=LOGIN["email"], address="127.0.0.1")
    assert (await log_in(client)).status_code == 302
    assert (await log_in(client, password="wrong")).status_code == 400
    assert (await log_in(client)).status_code == 302


@pytest.mark.usefixtures("cheap_passwords")
async def test_too_many_attempts_from_one_address(resources: Resources) -> None:
    app = create_app(resources.settings, url="", secret=SECRET)
    app.state.resources = resources

    async def attempt(address: str, email: str, password: str = PASSWORD) -> int:
        transport = httpx2.ASGITransport(app, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            fields = {"email": email, "password": password}
            return (await client.post("/login-callback", json=fields)).status_code

    # A NUL in the e-mail is found before the password is hashed, which would take long.
    found = [await attempt("203.0.113.5", f"{number}\0@example.org") for number in range(102)]
    assert found == [400] * 100 + [429] * 2
    assert await attempt("203.0.113.5", "texter@example.org") == 429
    assert await attempt("203.0.113.6", "texter@example.org") == 302


@pytest.mark.usefixtures("cheap_passwords")
async def test_signing_out_ends_the_session(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    cookie, other = cookie_of(await log_in(client)), cookie_of(await log_in(client))
    response = await client.get("/logout-callback", headers={"cookie": f"connect.sid={cookie}"})
    assert (response.status_code, response.headers["location"]) == (302, "/")
    deleted = SimpleCookie(response.headers["set-cookie"])["connect.sid"]
    assert (deleted.value, deleted["max-age"], deleted["path"]) == ("", "0", "/")
    assert await who(client, cookie) is None
    assert await who(client, other) == "texter@example.org"
    rows = await connection.execute("select from user_session")
    assert rows.rowcount == 1


async def test_signing_out_without_a_session(
    client: httpx2.AsyncClient, connection: Connection
) -> None:
    sid = await insert_session(connection, 1)
    for cookie in ("", as_express_signs("A" * 32), as_express_signs(sid)[:-1]):
        client.cookies.clear()
        response = await client.get("/logout-callback", headers={"cookie": f"connect.sid={cookie}"})
        assert (response.status_code, response.headers["location"]) == (302, "/")
    assert await who(client, as_express_signs(sid)) == "superadmin@example.org"


async def test_tokens(client: httpx2.AsyncClient, resources: Resources) -> None:
    database = resources.database

    async def create(name: str) -> str:
        async with database.sessions() as session, session.begin():
            return await create_token(session, email="owner@example.org", name=name)

    async def listed(database: Database) -> dict[str, int]:
        async with database.sessions() as session:
            tokens = await list_tokens(session)
        assert {email for _, email in tokens} <= {"owner@example.org"}
        return {token.name: token.id for token, _ in tokens}

    async def revoke(token_id: int) -> None:
        async with database.sessions() as session, session.begin():
            await revoke_token(session, token_id=token_id)

    first, second = await create("first"), await create("second")
    assert first != second
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert await who(client, authorization=f"{scheme} {first}") == "owner@example.org"
    for wrong in (first[:-1], first + "x", first.upper(), "", "spoke_", second[::-1]):
        assert await who(client, authorization=f"Bearer {wrong}") is None
    ids = await listed(database)
    assert ids.keys() == {"first", "second"}
    await revoke(ids["first"])
    assert await who(client, authorization=f"Bearer {first}") is None
    assert await who(client, authorization=f"Bearer {second}") == "owner@example.org"
    assert await listed(database) == {"second": ids["second"]}
    for unknown in (ids["first"], 987654):
        with pytest.raises(NotFound):
            await revoke(unknown)


async def test_only_the_hash_of_a_token_is_kept(
    resources: Resources, connection: Connection
) -> None:
    async with resources.database.sessions() as session, session.begin():
        token = await create_token(session, email="owner@example.org", name="test")
    cursor = await connection.execute("select t::text, token_hash from api_token t")
    row = await cursor.fetchone()
    assert row
    assert row[1] == hashlib.sha256(token.encode()).digest()
    assert token not in row[0]
    assert token.removeprefix("spoke_") not in row[0]
    # 256 bits, that nobody can try out.
    assert len(base64.urlsafe_b64decode(token.removeprefix("spoke_") + "=")) == 32


async def test_nobody_gets_a_token_who_does_not_exist(resources: Resources) -> None:
    with pytest.raises(NotFound):
        async with resources.database.sessions() as session, session.begin():
            await create_token(session, email="nobody@example.org", name="test")


async def test_a_token_comes_before_a_cookie(
    client: httpx2.AsyncClient, resources: Resources, connection: Connection
) -> None:
    async with resources.database.sessions() as session, session.begin():
        token = await create_token(session, email="owner@example.org", name="test")
    cookie = as_express_signs(await insert_session(connection, 1))
    assert await who(client, cookie, authorization=f"Bearer {token}") == "owner@example.org"
    assert await who(client, cookie, authorization="Bearer wrong") is None
    assert await who(client, cookie, authorization="Basic b3duZXI6eA==") == "superadmin@example.org"
