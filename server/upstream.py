"""A request handed on to the Spoke that runs behind us, and its answer, both as streams.

What belongs to a connection stays behind, and who asked is told in X-Forwarded headers; those that
came in are not believed. Whoever goes away takes the request to Spoke along.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from io import BytesIO
from urllib.parse import urlsplit

import structlog
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from yarl import URL

from server.bodies import BadRequest
from server.request_log import note
from services.errors import UpstreamUnavailable
from services.settings import Settings

log = structlog.get_logger("upstream")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS_TO_CONNECT = 5
KEPT_ALIVE_SECONDS = 3
"""Node closes a connection that nobody uses after five."""
MOST_CONNECTIONS = 500
MOST_HEADER_BYTES = 64 * 1024
OF_A_CONNECTION = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
TOLD_ANEW = frozenset(
    {"expect", "forwarded", "host", "via", "x-forwarded-for", "x-forwarded-host"}
    | {"x-forwarded-port", "x-forwarded-proto", "x-real-ip"}
)
"""Of a request."""
OURS = frozenset({"date", "referrer-policy", "x-content-type-options", "x-request-id"})
"""Of an answer: `RequestLog` and uvicorn write them into each."""
VIA = "1.1 spoke-credits"
NO_ANSWER = "Spoke didn't answer: this may or may not have been done. Look before you try again."
TO_NOBODY = Response(status_code=499)
"""Who asked has gone."""

Headers = list[tuple[str, str]]


class Upstream:
    def __init__(self, settings: Settings, client: ClientSession) -> None:
        assert settings.spoke_upstream_url is not None
        self._url = URL(settings.spoke_upstream_url)
        self._scheme = urlsplit(settings.address).scheme
        # A client compares it with its own: one of us has to tell it.
        tells_version = settings.spoke_version is not None or settings.spoke_client_dir is not None
        self._left_out = OURS | ({"x-spoke-version"} if tells_version else set())
        self._client = client

    async def answer(self, request: Request) -> Response:
        """Spoke's, to the request as it came. Raises UpstreamUnavailable, BadRequest."""
        url = self._url.with_path(request.scope["raw_path"].decode("ascii"), encoded=True)
        query = request.scope["query_string"].decode("latin-1")
        url = URL(f"{url}?{query}", encoded=True) if query else url
        body = request.stream() if _has_body(request) else None
        return await self._answer(request, url, self._headers(request), body)

    async def answer_to(
        self, request: Request, content: AsyncIterator[bytes] | bytes, content_type: str
    ) -> Response:
        """Spoke's, to this content posted to where the request came: for what we have read, and
        Spoke must not read in another way. Raises UpstreamUnavailable, BadRequest."""
        rewritten = {"content-type", "content-length", "content-encoding"}
        headers = [pair for pair in self._headers(request) if pair[0] not in rewritten]
        headers.append(("content-type", content_type))
        url = self._url.with_path(request.scope["path"])
        return await self._answer(request, url, headers, content)

    async def _answer(
        self,
        request: Request,
        url: URL,
        headers: Headers,
        content: AsyncIterator[bytes] | bytes | None,
    ) -> Response:
        note(request, field="upstream")
        if request.method not in METHODS:
            raise BadRequest(405, "METHOD_NOT_ALLOWED", "Spoke isn't asked in this way.")
        if VIA in _listed(request.headers.getlist("via")):
            raise BadRequest(508, "LOOP_DETECTED", "SPOKE_UPSTREAM_URL leads back to this server.")
        body = _Body(content)
        gone = asyncio.create_task(body.requester_gone(request.receive))
        opening = asyncio.create_task(
            self._client.request(
                request.method, url, headers=headers, data=body.data, allow_redirects=False
            )
        )
        try:
            await asyncio.wait({opening, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                return TO_NOBODY
            return _Relayed(await opening, gone, self._left_out)
        except (ClientError, TimeoutError) as error:
            if body.is_cut_off:
                return TO_NOBODY
            raise _unavailable(error) from None
        finally:
            if not opening.done() or opening.cancelled() or opening.exception():
                opening.cancel()
                gone.cancel()

    def _headers(self, request: Request) -> Headers:
        left_out = TOLD_ANEW | _of_the_connection(request.headers.getlist("connection"))
        kept = [
            (name, value.encode("latin-1").decode("utf-8", "replace"))
            for name, value in request.headers.items()
            if name not in left_out
        ]
        told = {
            "x-forwarded-for": request.client.host if request.client else "",
            "x-forwarded-host": request.headers.get("host", ""),
            "x-forwarded-proto": self._scheme,
            "via": VIA,
        }
        return [*kept, *told.items()]


@asynccontextmanager
async def open_upstream(settings: Settings) -> AsyncGenerator[Upstream | None]:
    """None without SPOKE_UPSTREAM_URL. It need not run yet."""
    if settings.spoke_upstream_url is None:
        yield None
        return
    async with ClientSession(
        connector=TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=KEPT_ALIVE_SECONDS),
        timeout=ClientTimeout(
            total=None,
            connect=2 * SECONDS_TO_CONNECT,
            sock_connect=SECONDS_TO_CONNECT,
            sock_read=settings.spoke_upstream_timeout_seconds,
        ),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        max_line_size=MOST_HEADER_BYTES,
        max_field_size=MOST_HEADER_BYTES,
    ) as client:
        yield Upstream(settings, client)


class _Body:
    """Of a request, and whoever sends it."""

    def __init__(self, content: AsyncIterator[bytes] | bytes | None) -> None:
        self.is_cut_off = False
        self._read = asyncio.Event()
        self.data: AsyncIterator[bytes] | BytesIO | None = None
        if content is None or isinstance(content, bytes):
            self._read.set()
            self.data = BytesIO(content) if content else None  # written in parts
        else:
            self.data = self._chunks(content)

    async def _chunks(self, content: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        try:
            async for chunk in content:
                yield chunk
        except ClientDisconnect:
            self.is_cut_off = True
            raise
        finally:
            self._read.set()

    async def requester_gone(self, receive: Receive) -> None:
        """Until then. Only one may listen: at first it is who reads the body."""
        await self._read.wait()
        while (await receive())["type"] != "http.disconnect":
            pass


class _Relayed(Response):
    """An answer of which the head is there. `gone`: ends when who asked has gone."""

    def __init__(
        self, answer: ClientResponse, gone: asyncio.Task[None], left_out: frozenset[str]
    ) -> None:
        self.status_code = answer.status
        self.background = None
        self._answer = answer
        self._gone = gone
        left_out |= _of_the_connection(answer.headers.getall("connection", []))
        if answer.status in (204, 304):  # would have so much, but has nothing
            left_out |= {"content-length"}
        self.raw_headers = [
            (name.lower(), value)
            for name, value in answer.raw_headers
            if name.decode("latin-1").lower() not in left_out
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        relaying = asyncio.create_task(self._relay(send))
        try:
            await asyncio.wait({relaying, self._gone}, return_when=asyncio.FIRST_COMPLETED)
            if relaying.done():
                await relaying
        except (ClientError, TimeoutError) as error:
            # What is told can't be taken back: without an end, the client sees that it is cut off.
            log.warning("answer_cut_off", error=type(error).__name__)
        finally:
            relaying.cancel()
            self._gone.cancel()
            self._answer.close()

    async def _relay(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        async for chunk in self._answer.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _has_body(request: Request) -> bool:
    names = request.headers
    return "transfer-encoding" in names or names.get("content-length", "0") != "0"


def _of_the_connection(named: Iterable[str]) -> frozenset[str]:
    """And those that the header itself names."""
    return OF_A_CONNECTION | _listed(named)


def _listed(values: Iterable[str]) -> frozenset[str]:
    """What a header names, in one line or in several."""
    return frozenset(name.strip().lower() for value in values for name in value.split(","))


def _unavailable(error: Exception) -> UpstreamUnavailable:
    log.warning("upstream_unavailable", error=type(error).__name__)
    # Before a connection stands, nothing can have arrived.
    has_left = not isinstance(error, (ClientConnectorError, ConnectionTimeoutError))
    return UpstreamUnavailable(NO_ANSWER if has_left else None)
