"""Load from a process of its own: `python -m bench.load`, told by JSON on standard input.

Each client keeps one connection and one request under way. Raw sockets and prebuilt requests: an
HTTP library would cost more CPU than the server under test, on the same cores.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import orjson
import uvloop


def request_bytes(path: str, cookie: str, body: dict[str, Any]) -> bytes:
    content = orjson.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nCookie: {cookie}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content


class Client(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self._requests = requests
        self._deadline = deadline
        self._buffer = b""
        self._started = 0.0
        self.seconds: list[float] = []
        self.refused = 0
        self.failed = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop has classes of its own
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self.seconds.append(time.perf_counter() - self._started)
        self.refused += b"INSUFFICIENT_CREDITS" in body
        self.failed += b'"errors"' in body and b"INSUFFICIENT_CREDITS" not in body
        self._buffer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None or time.perf_counter() > self._deadline:
            self._transport.close()
            return
        self._started = time.perf_counter()
        self._transport.write(request)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


async def load(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec`: ports, path, cookie, bodies (used in turn), clients, seconds."""
    prebuilt = [request_bytes(spec["path"], spec["cookie"], body) for body in spec["bodies"]]
    requests = iter(prebuilt)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    clients: list[Client] = []
    for number in range(spec["clients"]):
        _, client = await loop.create_connection(
            lambda: Client(requests, started + spec["seconds"]),
            "127.0.0.1",
            spec["ports"][number % len(spec["ports"])],
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return {
        "elapsed": time.perf_counter() - started,
        "seconds": sorted(second for client in clients for second in client.seconds),
        "refused": sum(client.refused for client in clients),
        "failed": sum(client.failed for client in clients),
    }


if __name__ == "__main__":
    result = uvloop.run(load(orjson.loads(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(orjson.dumps(result))
