"""The least that HTTP in Python costs: a route that reads JSON and answers with the same JSON again
and again. `python -m bench.floor` in a process of its own, told the answer on standard input.
"""

import os
import socket
import sys
from contextlib import suppress

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def floor_app(answer: object) -> Starlette:
    async def graphql(request: Request) -> Response:
        orjson.loads(await request.body())
        return Response(orjson.dumps(answer), media_type="application/json")

    return Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])


def main() -> None:
    config = uvicorn.Config(
        floor_app(orjson.loads(sys.stdin.buffer.read())),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
    )
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=2048) as listening:
        print("ready", flush=True)  # whoever connects from now on is let in soon
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
