"""GraphQL over HTTP, as a person of the demo data."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

NOBODY = "nobody"
ADD = """
mutation($t: ID!, $n: Int!, $k: String) {
  addCredits(teamId: $t, amount: $n, idempotencyKey: $k) { id }
}
"""
SEND = """
mutation($id: String!, $m: MessageInput!, $k: String) {
  sendMessage(campaignContactId: $id, message: $m, idempotencyKey: $k) {
    id messageStatus messages { id text isFromContact userId createdAt errorCodes }
  }
}
"""


@dataclass
class Answer:
    status: int
    data: Any
    errors: list[dict[str, Any]]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]

    @property
    def ok(self) -> Any:
        assert not self.errors, self.errors
        return self.data


@dataclass
class Api:
    client: httpx2.AsyncClient
    sign_in: Callable[[str], Awaitable[dict[str, str]]]
    _cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    async def __call__(self, who: str, query: str, **variables: Any) -> Answer:
        """`who`: the part of a demo person's e-mail before the @, or NOBODY."""
        cookie = await self.cookie(who)
        response = await self.client.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"cookie": cookie} if cookie else {},
        )
        body = response.json()
        return Answer(response.status_code, body.get("data"), body.get("errors", []))

    async def cookie(self, who: str) -> str:
        """The header of their session, which is always the same one."""
        if who != NOBODY and who not in self._cookies:
            self._cookies[who] = await self.sign_in(f"{who}@example.org")
        return "; ".join(f"{k}={v}" for k, v in self._cookies.get(who, {}).items())

    async def send(
        self,
        who: str,
        contact_id: int,
        text: str | None = "Hi!",
        *,
        assignment_id: int | None = 1,
        key: str | None = None,
        **message: Any,
    ) -> Answer:
        message |= {"text": text, "assignmentId": assignment_id and str(assignment_id)}
        return await self(who, SEND, id=str(contact_id), m=message, k=key)
