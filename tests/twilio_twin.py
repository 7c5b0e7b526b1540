"""A stand-in for Twilio's API of texts: real HTTP on loopback, which does as it is told.

`twilio_twin()` runs it in a thread of its own, `python -m tests.twilio_twin` in a process. What it
does with a text is told by its number (`will_treat`), else by a word in its body ("twin:refused"),
else it is `default`. It is as unhelpful as Twilio: a text is created with "0" segments, callbacks
bring no count, come in any order and are tried again only as the fragment of their address asks,
and a list by date leaves out what hasn't been sent.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import itertools
import re
import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urldefrag, urlencode

import orjson
import uvloop
from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    TCPConnector,
    encode_basic_auth,
    web,
)

from services.segments import measure

ACCOUNT_SID = "AC" + "7" * 32
AUTH_TOKEN = "token-of-the-twin"
SERVICE_SID = "MG" + "7" * 32
NUMBER = "+12025550000"
"""From which it sends everything."""
API = "/2010-04-01/Accounts/{account}"
FOR_EVER = 3600.0
CALLBACKS_AT_ONCE = 64


@dataclass(frozen=True)
class Behaviour:
    """What becomes of a request to send a text.

    `accepts`: the text goes out, whatever is answered. `breaks`: the connection is cut instead of
    an answer. `code`: Twilio's, of the answer or, if that is a success, of the last callback.
    `statuses`: what callbacks tell, one after the other, each `repeats` times, beginning after
    `late_seconds`. `more_segments`: than we count. `counts`: callbacks bring the count after all.
    """

    status: int = 201
    accepts: bool = True
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False
    delay_seconds: float = 0
    statuses: tuple[str, ...] = ("queued", "sent", "delivered")
    repeats: int = 1
    late_seconds: float = 0
    more_segments: int = 0
    counts: bool = False


BEHAVIOURS = {
    "delivered": Behaviour(),
    "undelivered": Behaviour(statuses=("queued", "sent", "undelivered"), code=30003),
    "failed": Behaviour(statuses=("queued", "failed"), code=30007),
    "silent": Behaviour(statuses=()),
    "sent": Behaviour(statuses=("queued", "sent")),
    "queued": Behaviour(statuses=("queued",)),
    "repeated": Behaviour(repeats=4),
    "reordered": Behaviour(statuses=("delivered", "sent", "queued")),
    "late": Behaviour(late_seconds=1),
    "fewer": Behaviour(more_segments=-1),
    "more": Behaviour(more_segments=1),
    "counted": Behaviour(counts=True),
    "counted-fewer": Behaviour(more_segments=-1, counts=True),
    "counted-more": Behaviour(more_segments=1, counts=True),
    "refused": Behaviour(400, accepts=False, code=21610),
    "unauthorized": Behaviour(401, accepts=False, code=20003),
    "suspended": Behaviour(403, accepts=False, code=20005),
    "unknown-account": Behaviour(404, accepts=False, code=20404),
    "too-many": Behaviour(429, accepts=False, code=20429, headers={"Retry-After": "3"}),
    "server-error": Behaviour(500, accepts=False, code=20500),
    "server-error-accepted": Behaviour(500, code=20500),
    "unavailable": Behaviour(503, accepts=False),
    "hangs": Behaviour(accepts=False, delay_seconds=FOR_EVER),
    "hangs-accepted": Behaviour(delay_seconds=FOR_EVER),
    "breaks": Behaviour(accepts=False, breaks=True),
    "breaks-accepted": Behaviour(breaks=True),
}


@dataclass
class Text:
    """A text that the twin has accepted; `segments`: as it counts them."""

    sid: str
    account_sid: str
    form: dict[str, str]
    segments: int
    at: datetime
    status: str = "accepted"
    sent_at: datetime | None = None
    error_code: int | None = None
    direction: str = "outbound-api"

    @property
    def to(self) -> str:
        return self.form["To"]

    @property
    def body(self) -> str:
        return self.form.get("Body", "")

    @property
    def media_url(self) -> str | None:
        return self.form.get("MediaUrl")

    @property
    def resource(self) -> dict[str, Any]:
        """As Twilio shows it."""
        is_counted = self.status not in ("accepted", "queued")
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "messaging_service_sid": self.form.get("MessagingServiceSid"),
            "from": NUMBER if is_counted else None,
            "to": self.to,
            "body": self.body,
            "status": self.status,
            "num_segments": str(self.segments) if is_counted else "0",
            "num_media": "1" if self.media_url else "0",
            "direction": self.direction,
            "date_created": format_datetime(self.at),
            "date_sent": format_datetime(self.sent_at) if self.sent_at else None,
            "error_code": self.error_code,
            "error_message": None,
            "uri": f"{API.format(account=self.account_sid)}/Messages/{self.sid}.json",
        }


@dataclass(frozen=True)
class Callback:
    """A callback that was made. `answer`: its HTTP status; 0: none came."""

    sid: str
    status: str
    answer: int


def twilio_signature(url: str, form: Mapping[str, str], token: str) -> str:
    """X-Twilio-Signature of a request to `url`."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


class TwilioTwin:
    """`accounts`: tokens by the account's sid. `page_size`: most that a page of a list holds."""

    def __init__(self, *, latency_seconds: float = 0, default: Behaviour | None = None) -> None:
        self.url = ""
        self.accounts = {ACCOUNT_SID: AUTH_TOKEN}
        self.accepted: list[Text] = []
        self.requests: list[dict[str, str]] = []
        self.lists: list[dict[str, str]] = []
        self.callbacks: list[Callback] = []
        self.default = default or Behaviour()
        self.latency_seconds = latency_seconds
        self.page_size = 1000
        self.list_status = 200
        self._by_sid: dict[str, Text] = {}
        self._by_number: dict[str, list[Text]] = defaultdict(list)
        self._plans: dict[str, deque[Behaviour]] = defaultdict(deque)
        self._numbers = itertools.count(secrets.randbits(64))
        self._telling: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(CALLBACKS_AT_ONCE)
        self._client: ClientSession | None = None

    def will_treat(self, to: str, *behaviours: Behaviour) -> None:
        """The next requests for this number, in this order; those after them as any other."""
        self._plans[to].extend(behaviours)

    def accepted_for(self, to: str) -> list[Text]:
        return list(self._by_number[to])

    @property
    def is_settled(self) -> bool:
        """Whether every callback has been made."""
        return not self._telling

    async def settled(self, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_settled:
            assert time.monotonic() < deadline, "the twin still makes callbacks"
            await asyncio.sleep(0.01)

    @property
    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post(f"{API}/Messages.json", self._create)
        app.router.add_get(f"{API}/Messages.json", self._list)
        app.router.add_get(f"{API}/Messages/{{sid}}.json", self._fetch)
        app.router.add_get("/twin/accepted", self._show)
        app.cleanup_ctx.append(self._connected)
        return app

    async def _connected(self, _: web.Application) -> Any:
        timeout = ClientTimeout(total=15)
        async with ClientSession(timeout=timeout, connector=TCPConnector(limit=0)) as client:
            self._client = client
            yield
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.requests.append(form)
        account = request.match_info["account"]
        if not self._lets_in(request, account):
            return _error(401, 20003)
        behaviour = self._behaviour_for(form)
        text = self._accept(account, form, behaviour) if behaviour.accepts else None
        await asyncio.sleep(self.latency_seconds + behaviour.delay_seconds)
        if behaviour.breaks:
            assert request.transport is not None
            request.transport.abort()
        if text is None or behaviour.status != 201:
            return _error(behaviour.status, behaviour.code, behaviour.headers)
        return _json({**text.resource, "status": "accepted", "num_segments": "0"}, 201)

    def _behaviour_for(self, form: Mapping[str, str]) -> Behaviour:
        if plan := self._plans.get(form["To"]):
            return plan.popleft()
        word = re.search(r"twin:([a-z-]+)", form.get("Body", ""))
        return BEHAVIOURS[word[1]] if word else self.default

    def _accept(self, account: str, form: dict[str, str], behaviour: Behaviour) -> Text:
        counted = 1 if "MediaUrl" in form else measure(form["Body"]).segments
        kind = "MM" if "MediaUrl" in form else "SM"
        text = Text(
            sid=f"{kind}{next(self._numbers):032x}",
            account_sid=account,
            form=form,
            segments=counted + behaviour.more_segments,
            at=datetime.now(UTC),
        )
        self.accepted.append(text)
        self._by_sid[text.sid] = text
        self._by_number[text.to].append(text)
        task = asyncio.create_task(self._tell(text, behaviour))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        return text

    async def _tell(self, text: Text, behaviour: Behaviour) -> None:
        await asyncio.sleep(self.latency_seconds + behaviour.late_seconds)
        best = max(behaviour.statuses, key=_LIFE.index, default="accepted")
        for status in behaviour.statuses:
            text.status = max(text.status, status, key=_LIFE.index)
            if text.status != "queued":
                text.sent_at = text.sent_at or datetime.now(UTC)
            if status == best and behaviour.status == 201:
                text.error_code = behaviour.code
            form = self._callback_form(text, status, behaviour)
            if address := text.form.get("StatusCallback"):
                for _ in range(behaviour.repeats):
                    await self._call(address, form)

    def _callback_form(self, text: Text, status: str, behaviour: Behaviour) -> dict[str, str]:
        form = {
            "MessageSid": text.sid,
            "SmsSid": text.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": text.account_sid,
            "MessagingServiceSid": text.form["MessagingServiceSid"],
            "From": NUMBER,
            "To": text.to,
            "ApiVersion": "2010-04-01",
        }
        if status in ("failed", "undelivered") and behaviour.code:
            form["ErrorCode"] = str(behaviour.code)
        if behaviour.counts and status != "queued":
            form["NumSegments"] = str(text.segments)
        return form

    async def _call(self, address: str, form: dict[str, str]) -> None:
        """As often as the fragment of the address asks, and never for longer than 15 seconds."""
        url, fragment = urldefrag(address)
        wishes = {name: values[0] for name, values in parse_qs(fragment).items()}
        policies = set(wishes.get("rp", "ct").split(","))
        token = self.accounts[form["AccountSid"]]
        deadline = time.monotonic() + 15
        for attempt in range(int(wishes.get("rc", 1)) + 1):
            await asyncio.sleep(0.1 * attempt)
            answer = await self._post(url, form, twilio_signature(url, form, token))
            self.callbacks.append(Callback(form["MessageSid"], form["MessageStatus"], answer))
            reason = {0: "ct", 4: "4xx", 5: "5xx"}.get(answer // 100)
            if reason is None or not policies & {reason, "all"} or time.monotonic() > deadline:
                return

    async def _post(self, url: str, form: dict[str, str], signature: str) -> int:
        assert self._client is not None
        headers = {"X-Twilio-Signature": signature}
        try:
            async with (
                self._at_once,
                self._client.post(url, data=form, headers=headers) as response,
            ):
                await response.read()
                return response.status
        except (ClientError, TimeoutError):
            return 0

    async def _list(self, request: web.Request) -> web.Response:
        """Newest first, by pages. Those that have not been sent have no date to be found by."""
        self.lists.append(dict(request.query))
        account = request.match_info["account"]
        if not self._lets_in(request, account):
            return _error(401, 20003)
        if self.list_status != 200:
            return _error(self.list_status, None)
        query = dict(request.query)
        found = [text for text in self._to_list(query) if text.account_sid == account]
        size = min(int(query.get("PageSize", 50)), self.page_size)
        page = int(query.get("Page", 0))
        shown, rest = found[page * size :][:size], found[(page + 1) * size :]
        following = urlencode({**query, "Page": page + 1, "PageToken": "PT"})
        path = f"{API.format(account=account)}/Messages.json"
        return _json(
            {
                "messages": [text.resource for text in shown],
                "page": page,
                "page_size": size,
                "next_page_uri": f"{path}?{following}" if rest else None,
            }
        )

    def _to_list(self, query: Mapping[str, str]) -> Iterator[Text]:
        candidates = self._by_number[query["To"]] if "To" in query else self.accepted
        for text in reversed(candidates):
            sent_on = f"{text.sent_at:%Y-%m-%d}" if text.sent_at else ""
            if "DateSent>" not in query or sent_on >= query["DateSent>"]:
                yield text

    async def _fetch(self, request: web.Request) -> web.Response:
        text = self._by_sid.get(request.match_info["sid"])
        if not self._lets_in(request, request.match_info["account"]):
            return _error(401, 20003)
        return _json(text.resource) if text else _error(404, 20404)

    def _lets_in(self, request: web.Request, account: str) -> bool:
        token = self.accounts.get(account)
        wanted = encode_basic_auth(account, token) if token else None
        return wanted is not None and request.headers.get("Authorization") == wanted

    async def _show(self, _: web.Request) -> web.Response:
        """For who runs it in a process of its own."""
        return _json([{**text.resource, "at": text.at.isoformat()} for text in self.accepted])


_LIFE = ["accepted", "queued", "sent", "failed", "undelivered", "delivered"]


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def _error(status: int, code: int | None, headers: Mapping[str, str] | None = None) -> web.Response:
    body = {"code": code, "message": "The twin was told so.", "more_info": "", "status": status}
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers=headers
    )


async def _run(twin: TwilioTwin, port: int, stop: asyncio.Event, started: Any) -> None:
    runner = web.AppRunner(twin.app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=2048)
    await site.start()
    twin.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    started()
    try:
        await stop.wait()
    finally:
        await runner.cleanup()


@contextmanager
def twilio_twin(
    *, latency_seconds: float = 0, default: Behaviour | None = None, port: int = 0
) -> Iterator[TwilioTwin]:
    """In a thread of its own, whose end cuts what still hangs."""
    twin = TwilioTwin(latency_seconds=latency_seconds, default=default)
    loop = uvloop.new_event_loop()
    stop, is_up = asyncio.Event(), threading.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=[_run(twin, port, stop, is_up.set)]
    )
    thread.start()
    assert is_up.wait(10)
    try:
        yield twin
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.twilio_twin", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-seconds", type=float, default=0.005)
    parser.add_argument("--default", choices=BEHAVIOURS, default="delivered")
    told = parser.parse_args()
    twin = TwilioTwin(latency_seconds=told.latency_seconds, default=BEHAVIOURS[told.default])
    ready = lambda: print("ready", flush=True)  # noqa: E731, T201
    with suppress(KeyboardInterrupt):
        uvloop.run(_run(twin, told.port, asyncio.Event(), ready))


if __name__ == "__main__":
    main()
