"""Clients that watch a team: `python -m bench.watchers`, told by JSON on standard input.

Each has a WebSocket of its own. A line says that all have been told the first time; then, until a
line comes, it notes when they are told anything; and says so.
"""

import asyncio
import sys
import time
from typing import Any

import orjson
import uvloop
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

QUERY = 'subscription { teamCredits(teamId: "1") { id creditsEnabled creditStatus } }'
INTRODUCTION = '{"type":"connection_init"}'
SUBSCRIBE = orjson.dumps({"type": "subscribe", "id": "1", "payload": {"query": QUERY}}).decode()
AT_ONCE = 50


class Watchers:
    """`told`: when anybody was told something, by the clock that all processes share."""

    def __init__(self, port: int) -> None:
        self._address = f"ws://127.0.0.1:{port}/graphql"
        self._door = asyncio.Semaphore(AT_ONCE)
        self.told: list[float] = []

    async def watch(self, cookie: str, is_ready: asyncio.Event) -> None:
        async with self._door:
            connection = await connect(
                self._address,
                additional_headers={"Cookie": cookie},
                subprotocols=[Subprotocol("graphql-transport-ws")],
                compression=None,
                ping_interval=None,
            )
            await connection.send(INTRODUCTION)
            await connection.recv()
            await connection.send(SUBSCRIBE)
        while b'"next"' in await connection.recv(decode=False):
            self.told.append(time.monotonic())
            is_ready.set()


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec`: port and cookies, one for each watcher."""
    watchers = Watchers(spec["port"])
    ready = [asyncio.Event() for _ in spec["cookies"]]
    watching = [
        asyncio.create_task(watchers.watch(cookie, one))
        for cookie, one in zip(spec["cookies"], ready, strict=True)
    ]
    await asyncio.gather(*(one.wait() for one in ready))
    watchers.told.clear()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    lost = sum(task.done() for task in watching)
    return {"told": watchers.told, "lost": lost}


if __name__ == "__main__":
    result = uvloop.run(run(orjson.loads(sys.stdin.readline())))
    sys.stdout.buffer.write(orjson.dumps(result))
