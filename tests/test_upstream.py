"""In front of a running Spoke: what isn't ours is asked there, and nothing that sends texts is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from websockets.exceptions import InvalidStatus

from server.bodies import MOST_BYTES
from server.demo import PASSWORD
from server.elsewhere import may_lead_to_graphql
from server.resources import Resources
from services.settings import Settings, SettingsError, load_settings
from tests.servers import free_port
from tests.sockets import listening, socket_to, until
from tests.spoke_twin import SpokeTwin, spoke_twin

FOREIGN = 'query People { people(organizationId: "1") { users { id } } }'
SENDING = 'mutation { sendMessage(unknown: 1, campaignContactId: "1") { id } }'
OURS = "{ currentUser { email } }"
JSON = {"content-type": "application/json"}
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
UTF_16 = "\r\nContent-Type: text/plain; charset=utf-16"
UPLOAD = "mutation($f: Upload) { bulkOptOut(organizationId: 1, csvFile: $f) }"


@pytest.fixture
async def twin() -> AsyncIterator[SpokeTwin]:
    async with spoke_twin() as twin:
        yield twin


@pytest.fixture
def settings(twin: SpokeTwin, tmp_path: Path) -> Settings:
    return load_settings(
        spoke_data_dir=tmp_path,
        spoke_upstream_url=twin.url,
        base_url="https://spoke.example.org",
        spoke_version="10.4.0",
    )


@pytest.fixture
async def front(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    """Real HTTP to us: the other client gets answers only as a whole."""
    async with (
        listening(resources) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        yield client


def codes(answer: httpx2.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


def form(operations: object, *, between: str = "", more: str = "", name: str = "operations") -> str:
    """An upload of one file, as browsers write it."""
    line = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    written = operations if isinstance(operations, str) else orjson.dumps(operations).decode()
    return (
        f'{line}"{name}"{between}\r\n\r\n{written}\r\n'
        f'{line}"map"\r\n\r\n{{"1":["variables.f"]}}\r\n{more}'
        f'{line}"1"; filename="cells.csv"\r\nContent-Type: text/csv\r\n\r\n+12025550100\r\n'
        f"--{BOUNDARY}--\r\n"
    )


async def test_requests_go_to_spoke_as_they_are(front: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    sent = await front.request(
        "PUT",
        "/a%2Fb/c?x=1&y=%20",
        content=b"body",
        headers={
            "cookie": "connect.sid=s%3Aabc",
            "authorization": "Basic YTpi",
            "x-forwarded-for": "6.6.6.6",
            "x-real-ip": "6.6.6.6",
            "forwarded": "for=6.6.6.6",
            "te": "trailers",
            "connection": "keep-alive, x-hop",
            "x-hop": "1",
        },
    )
    assert sent.json() == {"data": {"twin": "/a%2Fb/c?x=1&y=%20"}}
    [asked] = twin.asked
    assert (asked.method, asked.target) == ("PUT", "/a%2Fb/c?x=1&y=%20")
    assert bytes(asked.body) == b"body"
    assert asked.all("cookie") == ["connect.sid=s%3Aabc"]
    assert asked.all("authorization") == ["Basic YTpi"]
    assert asked.all("content-length") == ["4"]
    assert asked.all("x-forwarded-for") == ["127.0.0.1"], "what others claim is not believed"
    assert asked.all("x-forwarded-proto") == ["https"]
    assert asked.all("x-forwarded-host") == [sent.request.headers["host"]]
    assert asked.all("host") == [twin.url.removeprefix("http://")]
    for left_out in ("x-real-ip", "forwarded", "te", "x-hop", "connection"):
        assert asked.all(left_out) == []


async def test_answers_come_as_they_are(front: httpx2.AsyncClient) -> None:
    answer = await front.get("/cookies")
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]
    assert "x-secret-hop" not in answer.headers
    assert answer.headers.get_list("x-spoke-version") == ["10.4.0"]
    assert len(answer.headers.get_list("date")) == 1
    redirect = await front.get("/redirect")
    assert (redirect.status_code, redirect.headers["location"]) == (302, "/login?next=%2F")
    assert (await front.get("/not-modified")).status_code == 304
    head = await front.head("/anything")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0


async def test_answers_are_streamed(front: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    async with front.stream("GET", "/parts") as answer:
        parts = answer.aiter_raw()
        assert await anext(parts) == b"first", "before there is a last"
        twin.goes_on.set()
        assert b"".join([part async for part in parts]) == b"last"


async def test_bodies_are_streamed(front: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        await until(lambda: bool(twin.asked and twin.asked[0].body))
        assert not twin.asked[0].is_complete
        yield b"last"

    answer = await front.post("/upload", content=chunks())
    assert answer.status_code == 200
    assert twin.asked[0].body == b"x" * 100_000 + b"last"


@pytest.mark.parametrize("path", ["/silent", "/parts"])
async def test_who_goes_away_takes_the_request_along(
    front: httpx2.AsyncClient, twin: SpokeTwin, path: str
) -> None:
    asking = asyncio.create_task(front.get(path))
    await until(lambda: bool(twin.asked))
    asking.cancel()
    async with asyncio.timeout(20):
        await twin.is_left.wait()


async def test_an_upload_that_breaks_off_breaks_off_there(
    front: httpx2.AsyncClient, twin: SpokeTwin
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    asking = asyncio.create_task(front.post("/upload", content=chunks()))
    await until(lambda: bool(twin.asked))
    asking.cancel()
    async with asyncio.timeout(20):
        await twin.is_left.wait()


async def test_an_answer_that_breaks_off_is_no_whole_one(front: httpx2.AsyncClient) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await front.get("/broken")


async def test_what_no_proxy_hands_on_is_refused(
    client: httpx2.AsyncClient, twin: SpokeTwin
) -> None:
    assert (await client.request("TRACE", "/x")).status_code == 405
    for via in ("1.1 spoke-credits", "1.0 cache, 1.1 spoke-credits, 1.1 proxy"):
        assert (await client.get("/x", headers={"via": via})).status_code == 508
    assert twin.asked == []


async def test_sockets_are_not_handed_on(front: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with socket_to(front.base_url.port or 0, path="/elsewhere"):
            pass
    assert twin.asked == []


async def test_foreign_documents_go_to_spoke(client: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    payload = {"operationName": "People", "variables": {"a": [1, "é"]}, "query": FOREIGN}
    answer = await client.post(
        "/graphql?query=x",
        json={**payload, "extensions": {"persistedQuery": {"sha256Hash": "0"}}},
        headers={"cookie": "connect.sid=1"},
    )
    assert answer.json() == {"data": {"twin": "/graphql"}}
    [asked] = twin.asked
    assert asked.json == payload, "and nothing that we haven't looked at"
    assert asked.all("content-type") == ["application/json"]
    assert asked.all("cookie") == ["connect.sid=1"]


async def test_ours_are_answered_here(
    client: httpx2.AsyncClient,
    twin: SpokeTwin,
    sign_in: Callable[[str], Awaitable[dict[str, str]]],
) -> None:
    cookies = await sign_in("owner@example.org")
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    answer = await client.post("/graphql", json={"query": OURS}, headers={"cookie": cookie})
    assert answer.json() == {"data": {"currentUser": {"email": "owner@example.org"}}}
    assert (await client.get("/healthz")).text == "ok"
    assert (await client.get("/graphiql/sign-in")).status_code == 200
    assert twin.asked == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (SENDING, "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { ...A } fragment A on RootMutation { a: bulkSendMessages }", "GRAPHQL_VALID"),
        ('{ team(id: "1") { title creditStatus } }', "MIXED_DOCUMENT"),
        ("{ nothing", "GRAPHQL_PARSE_FAILED"),
    ],
)
async def test_refused_documents_go_nowhere(
    client: httpx2.AsyncClient, twin: SpokeTwin, query: str, code: str
) -> None:
    answer = await client.post("/graphql", json={"query": query})
    assert answer.status_code == 200
    assert codes(answer)[0].startswith(code)
    assert twin.asked == []


def two_queries(first: str, second: str) -> bytes:
    return b'{"query": %s, "query": %s}' % (orjson.dumps(first), orjson.dumps(second))


def nested(levels: int) -> bytes:
    """What can be read, but not written anew."""
    lists = b"[" * levels + b"]" * levels
    return b'{"query": %s, "variables": {"a": %s}}' % (orjson.dumps(FOREIGN), lists)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, orjson.dumps([{"query": FOREIGN}, {"query": SENDING}])),
        (JSON, two_queries(FOREIGN, SENDING)),
        (JSON, b"\xef\xbb\xbf" + orjson.dumps({"query": FOREIGN})),
        (JSON, orjson.dumps({"query": FOREIGN}).decode().encode("utf-16")),
        (JSON, b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab"}}}'),
        (JSON, orjson.dumps({"query": [SENDING]})),
        (JSON, nested(300)),
        ({"content-type": "application/x-www-form-urlencoded"}, b"query=" + SENDING.encode()),
        ({"content-type": "application/graphql"}, SENDING.encode()),
        ({"content-type": "text/plain"}, orjson.dumps({"query": FOREIGN})),
        ({"content-type": "application/json, text/plain"}, orjson.dumps({"query": FOREIGN})),
        ({}, orjson.dumps({"query": FOREIGN})),
        ({**JSON, "content-encoding": "gzip"}, b"\x1f\x8b\x08\x00"),
        (FORM, form([{"query": UPLOAD}]).encode()),
        (FORM, form({"query": SENDING}).encode()),
        (FORM, form({"query": OURS}).encode()),
        (FORM, form({"query": UPLOAD}, between=UTF_16).encode()),
        (FORM, form({"query": UPLOAD}, between="; filename=x").encode()),
        (FORM, form({"query": UPLOAD}, name="Operations").encode()),
        (FORM, ("preamble\r\n" + form({"query": UPLOAD})).encode()),
        (FORM, form({"query": UPLOAD}).replace("variables.f", "query").encode()),
        (FORM, form('{"query": "{ a }"').encode()),
        (FORM, form("x" * 2_000_000).encode()),
        (FORM, form(nested(300).decode()).encode()),
        ({"content-type": "multipart/form-data"}, form({"query": UPLOAD}).encode()),
        ({"content-type": f"multipart/form-data; boundary={BOUNDARY}; boundary=x"}, b""),
    ],
    ids=lambda value: None if isinstance(value, dict) else "",
)  # fmt: skip
async def test_what_could_be_read_in_two_ways_goes_nowhere(
    client: httpx2.AsyncClient, twin: SpokeTwin, headers: dict[str, str], body: bytes
) -> None:
    answer = await client.post("/graphql", content=body, headers=headers)
    assert codes(answer)
    assert answer.status_code < 500
    assert twin.asked == []


async def test_spoke_reads_what_we_have_read(client: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    """Of keys that come twice, we take the last, and it alone goes on; so with other encodings."""
    await client.post("/graphql", content=two_queries(SENDING, FOREIGN), headers=JSON)
    await client.post(
        "/graphql",
        content=orjson.dumps({"query": FOREIGN}),
        headers={"content-type": "application/json; charset=utf-7", "content-encoding": "br"},
    )
    for asked in twin.asked:
        assert bytes(asked.body) == orjson.dumps({"query": FOREIGN})
        assert asked.all("content-type") == ["application/json"]
        assert asked.all("content-encoding") == []
    assert len(twin.asked) == 2


async def test_lists_may_be_long(client: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    payload = {"query": FOREIGN, "variables": {"cells": ["+12025550100"] * 100_000}}
    await client.post("/graphql", json=payload)
    [asked] = twin.asked
    assert asked.json == payload
    assert asked.all("content-length") == [str(len(asked.body))]


async def test_a_document_is_no_longer_than_alone(
    client: httpx2.AsyncClient, twin: SpokeTwin
) -> None:
    """While one is read nobody else is served, and one that is ours stays in memory."""
    for document in (FOREIGN, OURS, UPLOAD):
        long = {"query": document + " #" + "x" * MOST_BYTES}
        for answer in (
            await client.post("/graphql", json=long),
            await client.post("/graphql", content=form(long), headers=FORM),
        ):
            assert (answer.status_code, codes(answer)) == (413, ["PAYLOAD_TOO_LARGE"])
    assert twin.asked == []


async def test_uploads_go_to_spoke(front: httpx2.AsyncClient, twin: SpokeTwin) -> None:
    body = form({"query": UPLOAD, "variables": {"f": None}, "extensions": {}}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        yield body[:40]
        yield body[40:-50]
        await until(lambda: bool(twin.asked))  # it doesn't wait for the file
        yield body[-50:]

    answer = await front.post("/graphql", content=chunks(), headers=FORM)
    assert answer.json() == {"data": {"twin": "/graphql"}}
    [asked] = twin.asked
    assert asked.body.decode() == form({"query": UPLOAD, "variables": {"f": None}})
    assert asked.all("content-type") == [f'multipart/form-data; boundary="{BOUNDARY}"']


@pytest.mark.parametrize(
    "path",
    [
        "/GraphQL",
        "//graphql",
        "/graphql/x",
        "/GRAPHQL/",
        "/x/../graphql",
        "/%2567raphql",
        "/%252567raphql",
        "/graphql;a=b",
        "/graphql%00",
        "/graphql%20",
        "/x%5cgraphql",
        "/x%2fgraphql",
        "/graphql%3Fx",
        "/graphql%23x",
        "/graphql%C2%A0",
        "/graphql%A0",
        "/%25252525252525252567raphql",
    ],
)
def test_no_other_path_leads_to_graphql(path: str) -> None:
    assert may_lead_to_graphql(path)


async def test_graphql_is_asked_in_one_way_only(
    client: httpx2.AsyncClient, twin: SpokeTwin
) -> None:
    body: dict[str, Any] = {"json": {"query": FOREIGN}}
    assert (await client.post("/GraphQL", **body)).status_code == 404
    assert (await client.post("/graphql/x", **body)).status_code == 404
    assert (await client.post("/graphql/", **body)).status_code == 307, "to /graphql"
    assert (await client.get("/graphql", params={"query": FOREIGN})).status_code == 405
    assert (await client.put("/graphql", **body)).status_code == 405
    assert twin.asked == []
    await client.post("/%67raphql", **body)
    assert [asked.target for asked in twin.asked] == ["/graphql"]
    assert not may_lead_to_graphql("/graphql-docs/assets/graphql.js")


async def test_people_sign_in_here_but_for_what_only_spoke_knows(
    client: httpx2.AsyncClient, twin: SpokeTwin
) -> None:
    person = {"email": "owner@example.org", "password": PASSWORD}
    answer = await client.post("/login-callback", json=person)
    assert answer.status_code == 302
    assert twin.asked == []
    reset = {"authType": "reset", "email": "a@b.c", "password": "x"}
    await client.post("/login-callback", json=reset)
    await client.get("/login-callback?code=1")
    assert [(asked.method, asked.target) for asked in twin.asked] == [
        ("POST", "/login-callback"),
        ("GET", "/login-callback?code=1"),
    ]
    assert twin.asked[0].json == reset


async def test_what_twilio_tells_of_spokes_texts_goes_to_spoke(
    client: httpx2.AsyncClient, twin: SpokeTwin
) -> None:
    await client.post("/twilio-message-report", data={"MessageSid": "SM1"})
    await client.post("/twilio", data={"Body": "Hi"})
    assert [(asked.target, bytes(asked.body)) for asked in twin.asked] == [
        ("/twilio-message-report", b"MessageSid=SM1"),
        ("/twilio", b"Body=Hi"),
    ]


async def test_without_a_client_pages_are_spokes(
    client: httpx2.AsyncClient, twin: SpokeTwin
) -> None:
    for path in ("/", "/login", "/settings/instance", "/assets/bundle.js"):
        assert (await client.get(path)).json() == {"data": {"twin": path}}


class TestSpokeIsDown:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return load_settings(
            spoke_data_dir=tmp_path, spoke_upstream_url=f"http://127.0.0.1:{free_port()}"
        )

    async def test_its_share_is_refused_and_ours_goes_on(self, client: httpx2.AsyncClient) -> None:
        for answer in (
            await client.get("/preview/1"),
            await client.post("/graphql", json={"query": FOREIGN}),
            await client.post("/graphql", content=form({"query": UPLOAD}), headers=FORM),
        ):
            assert answer.status_code == 502
            assert codes(answer) == ["UPSTREAM_UNAVAILABLE"]
            assert "Nothing was changed" in answer.json()["errors"][0]["message"]
        answer = await client.post("/graphql", json={"query": OURS})
        assert answer.json() == {"data": {"currentUser": None}}


class TestSpokeIsSilent:
    @pytest.fixture
    def settings(self, twin: SpokeTwin, tmp_path: Path) -> Settings:
        return load_settings(
            spoke_data_dir=tmp_path, spoke_upstream_url=twin.url, spoke_upstream_timeout_seconds=0.2
        )

    async def test_it_is_given_up(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post("/silent")
        assert answer.status_code == 502
        assert codes(answer) == ["UPSTREAM_UNAVAILABLE"]
        assert "may or may not have been done" in answer.json()["errors"][0]["message"]


class TestTheClientIsServedHere:
    @pytest.fixture
    def settings(self, twin: SpokeTwin, tmp_path: Path) -> Settings:
        folder = tmp_path / "client"
        (folder / "assets").mkdir(parents=True)
        (folder / "assets" / "assets.json").write_text('{"bundle.js": "bundle.01234567.js"}')
        (folder / "assets" / "bundle.01234567.js").write_text("client")
        (folder / "service-worker.js").write_text("worker")
        return load_settings(
            spoke_data_dir=tmp_path, spoke_upstream_url=twin.url, spoke_client_dir=folder
        )

    async def test_the_rest_is_spokes(self, client: httpx2.AsyncClient, twin: SpokeTwin) -> None:
        for path in ("/", "/login", "/admin/1/people", "/app/1/todos", "/a-b/join", "/invite/x"):
            assert "mount" in (await client.get(path)).text
        assert (await client.get("/assets/bundle.01234567.js")).text == "client"
        assert "BASE_URL" in (await client.get("/settings/instance")).json()
        assert "x-spoke-version" not in (await client.get("/cookies")).headers
        assert [asked.target for asked in twin.asked] == ["/cookies"]
        for path in ("/preview/abc", "/assets/older.js", "/metrics"):
            assert (await client.get(path)).json() == {"data": {"twin": path}}
        assert (await client.post("/autoassign")).json() == {"data": {"twin": "/autoassign"}}


@pytest.mark.parametrize(
    "given",
    [
        {"spoke_upstream_url": "spoke.example.org"},
        {"spoke_upstream_url": "http://spoke/path"},
        {"spoke_upstream_url": "http://user:secret@spoke"},
        {"spoke_upstream_url": "http://127.0.0.1:8000"},
        {"spoke_upstream_url": "https://a.example.org", "base_url": "https://a.example.org"},
    ],
    ids=["no scheme", "a path", "a password", "ourselves", "ourselves by name"],
)
def test_another_address_is_wanted(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="SPOKE_UPSTREAM_URL"):
        load_settings(**given)
