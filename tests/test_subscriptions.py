"""graphql-transport-ws: who gets in, what is answered, and when we hang up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psycopg
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from server import subscriptions
from server.resources import Resources, open_resources
from server.subscriptions import MOST_BYTES, MOST_SUBSCRIPTIONS
from services.sessions import create_token
from services.settings import Settings
from tests.api import ADD, SEND, Api
from tests.cable import cable_to
from tests.conftest import SECRET
from tests.sockets import ALL, STATUS, Socket, listening, socket_to, until, watching

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

SUBSCRIBE = {"query": STATUS, "variables": {"id": "1"}}


@pytest.fixture
async def port(resources: Resources) -> AsyncIterator[int]:
    async with listening(resources) as port:
        yield port


@pytest.fixture
async def stranger(port: int) -> AsyncIterator[Socket]:
    """Connected, without a cookie."""
    async with socket_to(port) as socket:
        yield socket


@pytest.fixture
async def texter(port: int, api: Api) -> AsyncIterator[Socket]:
    """Connected and introduced."""
    async with watching(port, await api.cookie("texter")) as socket:
        yield socket


# Who gets in


@pytest.mark.parametrize("settings", [{"base_url": "https://credits.example.org"}], indirect=True)
@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        (None, True),
        ("https://credits.example.org", True),
        ("https://CREDITS.example.org", True),
        ("http://127.0.0.1:{port}", True),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:1{port}", False),
        ("https://evil.example", False),
        ("https://credits.example.org.evil.example", False),
        ("https://evilcredits.example.org", False),
        ("https://credits.example.org@evil.example", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("http://[", False),
    ],
)
async def test_a_browser_must_come_from_our_own_page(
    port: int, api: Api, origin: str | None, is_let_in: bool
) -> None:
    cookie = await api.cookie("superadmin")
    headers = {} if origin is None else {"Origin": origin.format(port=port)}
    if is_let_in:
        async with watching(port, cookie, **headers) as socket:
            assert await (await socket.subscribe(ALL)).told() == []
    else:
        with pytest.raises(InvalidStatus) as refused:
            async with socket_to(port, cookie=cookie, **headers):
                pass
        assert refused.value.response.status_code == 403


async def test_nobody_is_not_let_in(stranger: Socket) -> None:
    await stranger.send({"type": "connection_init"})
    assert await stranger.closed() == 4401


@pytest.mark.parametrize("cookie", ["connect.sid=s%3Ax.y", "connect.sid=", "other=1", "="])
async def test_a_wrong_cookie_is_not_let_in(port: int, cookie: str) -> None:
    async with socket_to(port, cookie=cookie) as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == 4401


async def test_a_suspended_person_is_not_let_in(port: int, api: Api, demo_url: str) -> None:
    cookie = await api.cookie("texter")
    with psycopg.connect(demo_url) as connection:
        connection.execute("""update "user" set is_suspended = true""")
    async with socket_to(port, cookie=cookie) as socket:
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == 4401


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_a_token_lets_in(resources: Resources, port: int, name: str) -> None:
    async with resources.database.sessions.begin() as session:
        token = await create_token(session, email="superadmin@example.org", name="a board")
    async with socket_to(port) as socket:
        await socket.introduce({name: f"Bearer {token}"})
        assert await (await socket.subscribe(ALL)).told() == []
    async with watching(port, **{name: f"bearer {token}"}) as socket:
        assert await (await socket.subscribe(ALL)).told() == []


async def test_a_token_comes_before_a_cookie(port: int, api: Api) -> None:
    async with socket_to(port, cookie=await api.cookie("superadmin")) as socket:
        await socket.send(
            {"type": "connection_init", "payload": {"Authorization": "Bearer spoke_wrong"}}
        )
        assert await socket.closed() == 4401


async def test_a_person_has_so_many_connections(
    resources: Resources, port: int, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_OF_A_PERSON", 2)
    cookie = await api.cookie("texter")
    async with watching(port, cookie), watching(port, cookie) as second:
        async with socket_to(port, cookie=cookie) as third:
            await third.send({"type": "connection_init"})
            assert await third.closed() == 4403
        async with watching(port, await api.cookie("owner")):
            pass
        await second.close()
        await until(lambda: resources.connected.total() == 1)
        async with watching(port, cookie):
            pass


@pytest.mark.parametrize("settings", [{"max_websockets": 1}], indirect=True)
async def test_a_process_has_so_many_connections(port: int, api: Api) -> None:
    async with (
        watching(port, await api.cookie("texter")),
        socket_to(port, cookie=await api.cookie("owner")) as second,
    ):
        await second.send({"type": "connection_init"})
        assert await second.closed() == 1013


async def test_without_a_database_nobody_can_be_let_in_now(
    demo_url: str, settings: Settings, api: Api
) -> None:
    cookie = await api.cookie("texter")
    async with (
        cable_to(demo_url) as cable,
        open_resources(settings, cable.url, SECRET) as resources,
        listening(resources) as port,
        socket_to(port, cookie=cookie) as socket,
    ):
        resources.database.pool.timeout = 0.5
        cable.cut()
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == 1013


# When we hang up


async def test_who_says_nothing_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "SECONDS_TO_INTRODUCE", 0.3)
    async with socket_to(port) as socket:
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        assert await socket.closed() == 4408


async def test_who_has_introduced_themselves_may_stay(
    port: int, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "SECONDS_TO_INTRODUCE", 0.3)
    async with watching(port, await api.cookie("texter")) as socket:
        await asyncio.sleep(0.6)
        assert await (await socket.subscribe(STATUS, id="1")).told()


async def test_nobody_subscribes_without_an_introduction(port: int, api: Api) -> None:
    async with socket_to(port, cookie=await api.cookie("texter")) as socket:
        await socket.send({"type": "subscribe", "id": "1", "payload": SUBSCRIBE})
        assert await socket.closed() == 4401


async def test_one_introduction_is_enough(texter: Socket) -> None:
    await texter.send({"type": "connection_init"})
    assert await texter.closed() == 4429


async def test_another_protocol_is_not_spoken(port: int) -> None:
    async with socket_to(port, protocol="graphql-ws") as socket:
        assert await socket.closed() == 4406


async def test_an_id_is_for_one_subscription(texter: Socket) -> None:
    for _ in range(2):
        await texter.send({"type": "subscribe", "id": "1", "payload": SUBSCRIBE})
    assert await texter.closed() == 4409


async def test_an_id_is_free_again_once_its_subscription_has_ended(texter: Socket) -> None:
    for _ in range(3):
        await texter.send({"type": "subscribe", "id": "1", "payload": SUBSCRIBE})
        assert (await texter.receive())["type"] == "next"
        await texter.send({"type": "complete", "id": "1"})
    for _ in range(2):
        payload = {"query": "subscription { nothing }"}
        await texter.send({"type": "subscribe", "id": "2", "payload": payload})
        assert (await texter.receive())["type"] == "error"


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        b'{"type": "ping"}',
        "5",
        "[]",
        "null",
        "{}",
        '{"type": "unheard-of"}',
        '{"type": 5}',
        '{"type": "next", "id": "1", "payload": {}}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ currentUser { id } }"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": ""}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 5}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "operationName": 5}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": null}',
    ],
)
async def test_what_has_no_meaning_ends_the_connection(
    texter: Socket, message: str | bytes
) -> None:
    await texter.send_raw(message)
    assert await texter.closed() == 4400


@pytest.mark.parametrize("payload", ["text", 5, [], True])
async def test_an_introduction_is_an_object(stranger: Socket, payload: Any) -> None:
    await stranger.send({"type": "connection_init", "payload": payload})
    assert await stranger.closed() == 4400


async def test_a_long_message_ends_the_connection(texter: Socket) -> None:
    await texter.send({"type": "ping", "payload": {"x": "x" * (MOST_BYTES - 100)}})
    assert await texter.receive() == {"type": "pong"}
    await texter.send({"type": "ping", "payload": {"x": "x" * MOST_BYTES}})
    assert await texter.closed() == 1009


async def test_there_is_nothing_at_another_address(port: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket_to(port, path="/"):
            pass
    assert refused.value.response.status_code == 403


# What is answered


async def test_completing_what_is_unknown_does_no_harm(texter: Socket) -> None:
    await texter.send({"type": "complete", "id": "never"})
    await texter.send({"type": "pong"})
    await texter.send({"type": "ping"})
    assert await texter.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { teamCredits(teamId: "1") }', "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { teamCredits { id } }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { allTeamCredits { id } a: allTeamCredits { id } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "subscription { allTeamCredits { "
            + "organization { team { " * 6
            + "id"
            + " } }" * 6
            + " } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            f"subscription {{ allTeamCredits {{ {' '.join(f'a{n}: id' for n in range(16))} }} }}",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { allTeamCredits @skip(if: true) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { allTeamCredits { " + "id " * 1000 + "} }", "GRAPHQL_PARSE_FAILED"),
        ('subscription { teamCredits(teamId: "0") { id } }', "BAD_USER_INPUT"),
        ("subscription($id: ID!) { teamCredits(teamId: $id) { id } }", "BAD_USER_INPUT"),
        ("subscription A { allTeamCredits { id } } subscription B { x }", "GRAPHQL_VALIDATION"),
        ("{ currentUser { id } }", "BAD_REQUEST"),
        ("mutation { setCreditsEnabled(teamId: 1, enabled: false) { id } }", "BAD_REQUEST"),
    ],
)
async def test_what_cannot_be_subscribed_to(texter: Socket, query: str, code: str) -> None:
    [found] = set(await (await texter.subscribe(query)).ended())
    assert found.startswith(code)
    assert await (await texter.subscribe(STATUS, id="1")).told()


async def test_one_of_several_operations_is_named(texter: Socket) -> None:
    query = f"query A {{ currentUser {{ id }} }} {STATUS.replace('subscription', 'subscription B')}"
    payload = SUBSCRIBE | {"query": query}
    for name, kind in (("A", "error"), ("B", "next"), (None, "error"), ("C", "error")):
        asked = {"type": "subscribe", "id": f"{name}", "payload": payload | {"operationName": name}}
        await texter.send(asked)
        assert (await texter.receive())["type"] == kind, name


async def test_nothing_is_changed_over_a_socket(api: Api, port: int, demo_url: str) -> None:
    async with watching(port, await api.cookie("superadmin")) as socket:
        subscription = await socket.subscribe(ADD, t="1", n=5)
        assert await subscription.ended() == ["BAD_REQUEST"]
        subscription = await socket.subscribe(SEND, id="1", m={"text": "Hi!"})
        assert await subscription.ended() == ["BAD_REQUEST"]
    with psycopg.connect(demo_url) as connection:
        row = connection.execute("select balance from credit_account where team_id = 1").fetchone()
    assert row == (25,)


async def test_a_connection_has_so_many_subscriptions(texter: Socket) -> None:
    many = [await texter.subscribe(STATUS, id="1") for _ in range(MOST_SUBSCRIPTIONS)]
    for subscription in many:
        assert await subscription.told()
    for _ in range(3):
        one_more = await texter.subscribe(STATUS, id="1")
        assert await one_more.ended() == ["TOO_MANY_SUBSCRIPTIONS"]
    await texter.unsubscribe(many[0])
    assert await (await texter.subscribe(STATUS, id="1")).told()


async def test_who_has_unsubscribed_is_told_no_more(api: Api, texter: Socket) -> None:
    first, second = [await texter.subscribe(STATUS, id="1") for _ in range(2)]
    assert await first.told() == await second.told()
    await texter.unsubscribe(first)
    assert (
        await api("owner", "mutation { setCreditsEnabled(teamId: 1, enabled: false) { id } }")
    ).ok
    assert (await second.told())["creditStatus"] == "DISABLED"
    assert await first.is_silent(0.3)


async def test_what_nobody_foresaw_is_masked_and_ends_nothing(
    port: int, api: Api, demo_url: str
) -> None:
    document = 'subscription { teamCredits(teamId: "1") { id creditPurchases { id } } }'
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute("alter table credit_purchase rename to hidden")
        async with watching(port, await api.cookie("superadmin")) as socket:
            subscription = await socket.subscribe(document)
            with capture_logs() as logs:
                payload = (await subscription.next())["payload"]
            assert payload["data"]["teamCredits"] == {"id": "1", "creditPurchases": None}
            [error] = payload["errors"]
            assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
            assert "hidden" not in error["message"]
            assert "unforeseen_error" in [line["event"] for line in logs]
            connection.execute("alter table hidden rename to credit_purchase")
            connection.execute("update credit_account set balance = balance + 1 where team_id = 1")
            assert (await subscription.told())["creditPurchases"]


async def test_a_subscription_is_not_posted(api: Api, client: httpx2.AsyncClient) -> None:
    answer = await api("texter", STATUS, id="1")
    assert (answer.status, answer.codes, answer.data) == (400, ["BAD_REQUEST"], None)
    assert "WebSocket" in answer.errors[0]["message"]


async def test_a_connection_leaves_a_line_in_the_log(port: int, resources: Resources) -> None:
    async with resources.database.sessions.begin() as session:
        token = await create_token(session, email="texter@example.org", name="a board")
    with capture_logs() as logs:
        async with socket_to(port) as socket:
            await socket.introduce({"Authorization": f"Bearer {token}"})
            assert await (await socket.subscribe(ALL)).ended() == ["FORBIDDEN"]
            await socket.send_raw("no JSON")
            assert await socket.closed() == 4400
        await until(lambda: bool(logs))
    [line] = [line for line in logs if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"]) == ("WEBSOCKET", "/graphql", 101)
    assert (line["close"], line["codes"]) == (4400, ["FORBIDDEN"])
    assert line["user_id"] == 5
    assert token not in str(logs)
