"""Running the HTTP server, and a worker beside it if wanted."""

import asyncio
import contextlib
import gc
import ipaddress
import signal
import socket
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette

from models.database import open_database
from server import demo
from server.app import create_app
from server.errors import StartError
from server.metrics import metrics_served
from server.subscriptions import MOST_BYTES
from server.worker import run_worker
from services.settings import Settings

if sys.platform != "win32":
    import resource

NEW_OBJECTS_BEFORE_COLLECTING = 10_000
MORE_DOORS = 31
"""uvloop lets in one connection per turn of its loop and listening socket: by a single one, of 256
clients that come at once the last would wait for seconds behind those that are in already."""
OTHER_FILES = 1024
"""That may be open beside WebSockets."""
SECONDS_UNREAD = 60
"""After which the system drops a connection whose other side takes nothing, and what waits for it:
we can close one only politely."""


class _Announced(uvicorn.Server):
    """Says that it is ready once it is."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _settle_garbage_collection()
            print(self._announcement, flush=True)


def _settle_garbage_collection() -> None:
    """What is there after the start stays: looking through it again and again would cost a tenth of
    the CPU of big answers, and so would looking for cycles after each 700 new objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_BEFORE_COLLECTING, 20, 20)


def configured(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,  # what is told is short, and compressing takes memory
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        timeout_graceful_shutdown=8,
    )


async def serve(settings: Settings, url: str, secret: str, *, with_worker: bool) -> None:
    """Until SIGINT or SIGTERM. Raises StartError."""
    has_demo = await _has_demo_people(settings, url)
    if has_demo and not _is_loopback(settings.host):
        raise StartError(
            f"HOST is {settings.host}, but the database holds demo people whose password "
            "everybody knows: listen on 127.0.0.1, or use another database."
        )
    config = configured(create_app(settings, url=url, secret=secret), settings)
    _allow_many_files(settings)
    listening = _listen(settings)
    server = _Announced(config, _announcement(settings, has_demo))
    with metrics_served(settings, url=url if with_worker else None):
        worker = asyncio.create_task(run_worker(settings, url, secret)) if with_worker else None
        try:
            await server.serve(sockets=[listening, *(listening.dup() for _ in range(MORE_DOORS))])
        finally:
            if worker:
                worker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await worker


def run(settings: Settings, url: str, secret: str, *, with_worker: bool) -> None:
    # uvicorn stops serving at SIGTERM, and then lets it have its effect: an end without end of the
    # worker. Like this, it has that of Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(settings, url, secret, with_worker=with_worker))


def _allow_many_files(settings: Settings) -> None:
    """A WebSocket is an open file, and often only 1024 are allowed at first."""
    if sys.platform != "win32":
        allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = settings.max_websockets + OTHER_FILES
        if allowed < min(wanted, most):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, most), most))


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listening = socket.create_server(
            (settings.host, settings.port), family=family, backlog=2048
        )
    except OSError as error:
        raise StartError(
            f"Can't listen on {settings.host}:{settings.port} ({error.strerror}): set HOST or PORT."
        ) from None
    if sys.platform == "linux":  # connections inherit it
        most = SECONDS_UNREAD * 1000
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, most)
    return listening


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _has_demo_people(settings: Settings, url: str) -> bool:
    async with (
        open_database(url, pool_size=2, prepares=settings.database_prepare) as database,
        database.sessions() as session,
    ):
        return await demo.has_demo_people(session)


def _announcement(settings: Settings, has_demo: bool) -> str:
    sign_ins = [f"  {email}" for email in demo.EMAILS] if has_demo else []
    return "\n".join(
        [
            f"Spoke Credits is at {settings.address}",
            *(
                [f"Demo sign-ins, all with the password {demo.PASSWORD}:", *sign_ins]
                if has_demo
                else []
            ),
            "ready",
        ]
    )
