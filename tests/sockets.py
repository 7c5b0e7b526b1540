"""Clients of subscriptions: graphql-transport-ws over real WebSockets."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from socket import create_server
from typing import Any

import orjson
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from server.app import create_app
from server.resources import Resources
from server.serve import configured

PROTOCOL = "graphql-transport-ws"
STATUS = "subscription($id: ID!) { teamCredits(teamId: $id) { id creditsEnabled creditStatus } }"
FIGURES = """
subscription($id: ID!) {
  teamCredits(teamId: $id) { creditStatus remainingCredits purchasedCredits usedCredits }
}
"""
ALL = "subscription { allTeamCredits { id creditStatus remainingCredits } }"
SECONDS = 10.0


class Subscription:
    """What comes for one subscription, in its order."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def next(self, seconds: float = SECONDS) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            return await self.messages.get()

    async def told(self, seconds: float = SECONDS) -> Any:
        """The next event: what its one field has."""
        message = await self.next(seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        [told] = message["payload"]["data"].values()
        return told

    async def ended(self) -> list[str]:
        """The codes of the error that ends it."""
        message = await self.next()
        assert message["type"] == "error", message
        return [error["extensions"]["code"] for error in message["payload"]]

    async def is_silent(self, seconds: float) -> bool:
        await asyncio.sleep(seconds)
        return self.messages.empty()


class Socket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._names = itertools.count(1)
        self._subscriptions: defaultdict[str, Subscription] = defaultdict(Subscription)
        self._reading: asyncio.Task[None] | None = None

    async def introduce(self, payload: Any = None) -> None:
        await self.send({"type": "connection_init", "payload": payload})
        assert await self.receive() == {"type": "connection_ack"}

    async def send(self, message: Any) -> None:
        await self.send_raw(orjson.dumps(message).decode())

    async def send_raw(self, message: str | bytes) -> None:
        await self._connection.send(message)

    async def receive(self) -> Any:
        """The next message, while nobody has subscribed."""
        async with asyncio.timeout(SECONDS):
            return orjson.loads(await self._connection.recv())

    async def closed(self) -> int:
        """Waits for the other side to hang up. Returns the code."""
        async with asyncio.timeout(SECONDS):
            await self._connection.wait_closed()
        assert self._connection.close_code is not None
        return self._connection.close_code

    async def subscribe(self, query: str, **variables: Any) -> Subscription:
        name = str(next(self._names))
        payload = {"query": query, "variables": variables}
        await self.send({"type": "subscribe", "id": name, "payload": payload})
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return self._subscriptions[name]

    async def unsubscribe(self, subscription: Subscription) -> None:
        [name] = [name for name, one in self._subscriptions.items() if one is subscription]
        await self.send({"type": "complete", "id": name})

    async def close(self) -> None:
        await self._connection.close()

    async def vanish(self) -> None:
        """Without a word, as a laptop that is closed."""
        self._connection.transport.abort()
        await self._connection.wait_closed()

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                message = orjson.loads(text)
                self._subscriptions[message["id"]].messages.put_nowait(message)
        except ConnectionClosed:
            pass


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def socket_to(
    port: int,
    *,
    path: str = "/graphql",
    cookie: str = "",
    protocol: str = PROTOCOL,
    **headers: str,
) -> AsyncIterator[Socket]:
    """Connected, but not introduced."""
    async with connect(
        f"ws://127.0.0.1:{port}{path}",
        additional_headers={"Cookie": cookie, **headers},
        subprotocols=[Subprotocol(protocol)],
        compression=None,
        max_size=None,
        max_queue=1,
    ) as connection:
        yield Socket(connection)


@asynccontextmanager
async def watching(port: int, cookie: str = "", **headers: str) -> AsyncIterator[Socket]:
    """Connected and introduced."""
    async with socket_to(port, cookie=cookie, **headers) as socket:
        await socket.introduce()
        yield socket


@asynccontextmanager
async def listening(resources: Resources) -> AsyncIterator[int]:
    """The port of a server in this process, configured as serve does it."""
    app = create_app(resources.settings, url="", secret=resources.secret)
    app.state.resources = resources
    config = configured(app, resources.settings)
    config.lifespan = "off"  # the resources are there
    server = uvicorn.Server(config)
    with create_server(("127.0.0.1", 0)) as door:
        serving = asyncio.create_task(server.serve(sockets=[door]))
        await until(lambda: server.started)
        yield door.getsockname()[1]
        server.should_exit = True
        await serving
