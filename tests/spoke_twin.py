"""A stand-in for the Spoke behind us: real HTTP on loopback, and what it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import create_server
from typing import Any

import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.sockets import until


@dataclass
class Asked:
    """As it came in; `body` grows while it comes."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)
    is_complete: bool = False

    def all(self, name: str) -> list[str]:
        return [value for one, value in self.headers if one == name]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class SpokeTwin:
    """Each path is answered in a way of its own; all others, and /graphql, say what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.goes_on = asyncio.Event()
        """What answers in parts waits for it after the first."""
        self.is_left = asyncio.Event()
        """Somebody went away instead of waiting for the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode()
        asked = Asked(
            scope["method"],
            scope["raw_path"].decode() + (f"?{query}" if query else ""),
            [(name.decode(), value.decode()) for name, value in scope["headers"]],
        )
        self.asked.append(asked)
        while not asked.is_complete:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.is_left.set()
                return
            asked.body += message["body"]
            asked.is_complete = not message["more_body"]
        match scope["path"]:
            case "/parts":
                await _start(send, 200, [(b"content-type", b"text/plain")])
                await send({"type": "http.response.body", "body": b"first", "more_body": True})
                await self._wait(receive)
                await send({"type": "http.response.body", "body": b"last"})
            case "/silent":
                await self._wait(receive)
            case "/broken":
                await _start(send, 200, [(b"content-length", b"100")])
                await send({"type": "http.response.body", "body": b"half", "more_body": True})
            case "/cookies":
                headers = [(b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2; HttpOnly")]
                headers += [(b"x-spoke-version", b"9"), (b"connection", b"x-secret-hop")]
                await _whole(send, 200, [*headers, (b"x-secret-hop", b"1")], b"")
            case "/redirect":
                await _whole(send, 302, [(b"location", b"/login?next=%2F")], b"")
            case "/not-modified":
                await _whole(send, 304, [(b"etag", b'"1"')], b"")
            case _:
                body = orjson.dumps({"data": {"twin": asked.target}})
                await _whole(send, 200, [(b"content-type", b"application/json")], body)

    async def _wait(self, receive: Receive) -> None:
        """Until the test wants it to go on, or whoever asks goes away."""
        goes_on = asyncio.create_task(self.goes_on.wait())
        leaves = asyncio.ensure_future(receive())
        await asyncio.wait({goes_on, leaves}, return_when=asyncio.FIRST_COMPLETED)
        if not goes_on.done():
            self.is_left.set()
        for task in (goes_on, leaves):
            task.cancel()


async def _start(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _whole(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())] if body else []
    await _start(send, status, [*headers, *length])
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def spoke_twin() -> AsyncIterator[SpokeTwin]:
    twin = SpokeTwin()
    config = uvicorn.Config(twin, log_config=None, lifespan="off", ws="none", access_log=False)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    with create_server(("127.0.0.1", 0)) as door:
        twin.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[door]))
        await until(lambda: server.started)
        try:
            yield twin
        finally:
            twin.goes_on.set()
            server.should_exit = True
            await serving
