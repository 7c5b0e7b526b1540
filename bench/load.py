"""Load from a process of its own: `python -m bench.load`, told by JSON on standard input.

Each client keeps one connection and one request under way. Raw sockets and prebuilt requests: an
HTTP library would cost more CPU than the server under test, on the same cores.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import orjson
import uvloop


def head_of(cookie: str) -> bytes:
    """All that a client's requests begin with."""
    return (
        f"POST /graphql HTTP/1.1\r\nHost: bench\r\nCookie: {cookie}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()


def rest_of(body: dict[str, Any]) -> bytes:
    content = orjson.dumps(body)
    return f"Content-Length: {len(content)}\r\n\r\n".encode() + content


class Client(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete, or `every` so many
    seconds if that is later."""

    def __init__(self, head: bytes, requests: Iterator[bytes], every: float) -> None:
        self._head = head
        self._requests = requests
        self._every = every
        self._deadline = 0.0
        self._received: list[bytes] = []
        self._missing = 0
        self._started = 0.0
        self._is_waiting = False
        self.seconds: list[float] = []
        self.refused = 0
        self.failed = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop has classes of its own

    def start(self, deadline: float) -> None:
        self._deadline = deadline
        self._next()

    def data_received(self, data: bytes) -> None:
        if not self._received:
            head = data.partition(b"\r\n\r\n")[0]
            self._missing = len(head) + 4 + _content_length(head)
        self._received.append(data)
        self._missing -= len(data)
        if self._missing <= 0:
            self._count(b"".join(self._received))
            self._received = []
            if self._every:
                later = max(0, self._started + self._every - time.perf_counter())
                asyncio.get_running_loop().call_later(later, self._next)
            else:
                self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self.failed += self._is_waiting
        if not self.done.done():
            self.done.set_result(None)

    def _count(self, answer: bytes) -> None:
        self._is_waiting = False
        self.seconds.append(time.perf_counter() - self._started)
        refused = b"INSUFFICIENT_CREDITS" in answer
        self.refused += refused
        self.failed += b'"errors"' in answer and not refused

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None or time.perf_counter() > self._deadline:
            self._transport.close()
            return
        self._is_waiting = True
        self._started = time.perf_counter()
        self._transport.write(self._head + request)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


async def load(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec`: ports and cookies (the clients get them in turn), bodies (used in turn), clients,
    seconds; perhaps `repeat` (when the bodies are used up, begin anew) and `every` (seconds from a
    client's request to its next)."""
    prebuilt = [rest_of(body) for body in spec["bodies"]]
    requests = itertools.cycle(prebuilt) if spec.get("repeat") else iter(prebuilt)
    loop = asyncio.get_running_loop()
    clients: list[Client] = []
    heads = itertools.cycle([head_of(cookie) for cookie in spec["cookies"]])
    for number in range(spec["clients"]):
        _, client = await loop.create_connection(
            lambda: Client(next(heads), requests, spec.get("every", 0)),
            "127.0.0.1",
            spec["ports"][number % len(spec["ports"])],
        )
        clients.append(client)
    started = time.perf_counter()
    for client in clients:  # all at once: connecting is not what is measured
        client.start(started + spec["seconds"])
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
