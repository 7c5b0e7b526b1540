"""A stand-in for SendGrid's mail/send: real HTTP on loopback, which answers as it is told."""

import itertools
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


@dataclass(frozen=True)
class Answer:
    """Given after `delay_seconds`. `is_broken`: the connection is cut instead."""

    status: int = 202
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_broken: bool = False
    delay_seconds: float = 0


ACCEPTED = Answer()
SERVER_ERROR = Answer(500, body=b'{"errors":[{"message":"internal error","field":null}]}')
BAD_REQUEST = Answer(
    400,
    body=b'{"errors":[{"message":"Does not contain a valid address.",'
    b'"field":"personalizations.0.to.0.email","help":null}]}',
)
BREAKS = Answer(is_broken=True)
HANGS = Answer(delay_seconds=60)


def too_many(*, reset_in_seconds: int) -> Answer:
    reset = str(int(time.time()) + reset_in_seconds)
    return Answer(
        429,
        headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset},
        body=b'{"errors":[{"field":null,"message":"too many requests"}]}',
    )


@dataclass(frozen=True)
class Received:
    """A request to send a mail, as it came in; `at`: by time.monotonic()."""

    path: str
    headers: Message
    body: dict[str, Any]
    at: float

    @property
    def to(self) -> list[str]:
        """Everybody who can see, or gets, this mail."""
        return [
            person["email"]
            for personalization in self.body["personalizations"]
            for kind in ("to", "cc", "bcc")
            for person in personalization.get(kind, [])
        ]

    @property
    def subject(self) -> str:
        return str(self.body["subject"])

    @property
    def text(self) -> str:
        return str(self.body["content"][0]["value"])

    @property
    def html(self) -> str:
        return str(self.body["content"][1]["value"])


class SendGridTwin:
    def __init__(self) -> None:
        self.received: list[Received] = []
        self.url = ""
        self._plans: dict[tuple[str, str], deque[Answer]] = defaultdict(deque)
        self._ids = itertools.count(1)
        self._let_go = threading.Event()

    def will_answer(self, address: str, *answers: Answer, about: str = "") -> None:
        """To mails to this address whose subject begins so, in this order; afterwards, and to
        others, ACCEPTED."""
        self._plans[address, about].extend(answers)

    def received_by(self, address: str) -> list[Received]:
        return [received for received in self.received if address in received.to]

    def let_go(self) -> None:
        """Cuts every connection that waits for an answer, now and later."""
        self._let_go.set()

    def answer_to(self, received: Received) -> Answer:
        self.received.append(received)
        plans = [
            plan
            for (address, about), plan in self._plans.items()
            if plan and address == received.to[0] and received.subject.startswith(about)
        ]
        answer = plans[0].popleft() if plans else ACCEPTED
        is_let_go = answer.delay_seconds and self._let_go.wait(answer.delay_seconds)
        return BREAKS if is_let_go else answer

    def new_message_id(self) -> str:
        return f"twin-{next(self._ids)}"


@contextmanager
def sendgrid_twin() -> Iterator[SendGridTwin]:
    twin = SendGridTwin()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received = Received(self.path, self.headers, body, time.monotonic())
            answer = twin.answer_to(received)
            if answer.is_broken:
                return
            self.send_response(answer.status)
            if answer.status == 202:
                self.send_header("X-Message-Id", twin.new_message_id())
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    twin.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield twin
    finally:
        twin.let_go()
        server.shutdown()
        thread.join()
        server.server_close()
