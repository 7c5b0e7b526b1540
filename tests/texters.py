"""Texters who press Send all the time, over HTTP, and what each of them was told."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from models.database import Database
from server.sessions import COOKIE, signed
from services.sessions import start_session
from tests.conftest import SECRET
from tests.world import Books, Team, books, rows

ACCEPTED, LOST = "ACCEPTED", "LOST"
"""What a texter is told besides codes. LOST: no answer came."""
UNSURE = {LOST, "OUTCOME_UNKNOWN"}

SEND = """
mutation($id: String!, $m: MessageInput!, $k: String) {
  sendMessage(campaignContactId: $id, message: $m, idempotencyKey: $k) { id messages { id } }
}
"""


@dataclass
class Text:
    """`told`: the answer to each attempt to send it. `content` is unlike any other's."""

    contact_id: int
    content: str
    cost: int = 1
    key: str | None = None
    assignment_id: int | None = None
    told: list[str] = field(default_factory=list)

    @cached_property
    def body(self) -> bytes:
        message = {"text": self.content, "assignmentId": str(self.assignment_id)}
        variables = {"id": str(self.contact_id), "m": message, "k": self.key}
        return json.dumps({"query": SEND, "variables": variables}).encode()

    @property
    def is_accepted(self) -> bool:
        return ACCEPTED in self.told

    @property
    def possible_times(self) -> set[int]:
        """How often it may have been written, by what its sender was told."""
        if self.is_accepted:
            return {1}
        return {0, 1} if UNSURE & set(self.told) else {0}


def text_of(team: Team, position: int, name: str, *, cost: int = 1, key: str | None = None) -> Text:
    """To the contact at `position`, with `name` at its beginning, as long as it costs."""
    content = name.ljust(153 * cost, ".")
    return Text(team.contact_ids[position], content, cost, key, team.assignment_id)


class Texter:
    """One connection that is kept, one request under way, and the cookie of a session."""

    def __init__(self, port: int, cookie: str) -> None:
        self._port = port
        self._head = (
            f"POST /graphql HTTP/1.1\r\nHost: test\r\nCookie: {cookie}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, text: Text) -> str:
        """Notes what was told, and returns it."""
        try:
            told = _told(await self.post(text.body))
        except (OSError, EOFError):
            self.hang_up()
            told = LOST
        text.told.append(told)
        return told

    async def post(self, body: bytes) -> dict[str, Any]:
        """Raises OSError or EOFError where no answer comes."""
        reader, _ = await self.begin(body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer: dict[str, Any] = json.loads(await reader.readexactly(length))
        return answer

    async def begin(
        self, body: bytes, *, only_half: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Sends a request without waiting for the answer. Raises OSError."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        part = body[: len(body) // 2] if only_half else body
        self._streams[1].write(self._head + f"{len(body)}\r\n\r\n".encode() + part)
        return self._streams

    def hang_up(self) -> None:
        """At once, whatever is under way."""
        if self._streams:
            self._streams[1].transport.abort()
        self._streams = None


def _told(answer: dict[str, Any]) -> str:
    errors = answer.get("errors")
    return str(errors[0]["extensions"]["code"]) if errors else ACCEPTED


async def cookie_of(database: Database, user_id: int) -> str:
    sid = await start_session(database.pool, user_id, secure=False)
    return f"{COOKIE}={signed(sid, SECRET)}"


async def proven(database: Database, team: Team, texts: Iterable[Text]) -> Books:
    """The team's figures. Asserts that they, and what was written, are as the senders were told:
    once what was accepted, never what was refused."""
    figures = await books(database, team.id)
    written = Counter(row.text for row in await rows(database, "select text from message"))
    wrong = [
        (text.content.rstrip("."), text.told, times)
        for text in texts
        if (times := written.pop(text.content, 0)) not in text.possible_times
    ]
    assert not wrong, wrong
    assert not written, written
    assert figures.balance == figures.purchased - figures.spent
    assert figures.texts == figures.metered
    return figures
