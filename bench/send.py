"""sendMessage over HTTP to one hot team with credits on and enough left: `python -m bench.send`."""

from dataclasses import asdict
from typing import Any

import psycopg

from bench.harness import cookie_of, database, measure, print_table, save, server
from bench.world import TEXTER, make_world

CLIENTS = (1, 16, 64, 256)
CONTACTS = 60_000
SECONDS = 6
DOCUMENT = """
mutation SendMessage($message: MessageInput!, $campaignContactId: String!) {
  sendMessage(message: $message, campaignContactId: $campaignContactId) {
    id messageStatus messages { id createdAt text userId isFromContact errorCodes __typename }
    __typename
  }
}
"""


def bodies(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "operationName": "SendMessage",
            "query": DOCUMENT,
            "variables": {
                "campaignContactId": str(contact_id),
                "message": {"text": f"Hi {contact_id}, will you come?", "assignmentId": "1"},
            },
        }
        for contact_id in range(first, first + count)
    ]


def main() -> None:
    rows = []
    with database() as url:
        make_world(url, teams=1, contacts=CONTACTS, credits=10_000_000)
        cookie = cookie_of(url, TEXTER)
        with server(url) as running:
            spec = {"path": "/graphql", "cookie": cookie}
            measure(url, [running], {**spec, "clients": 4, "seconds": 3, "bodies": bodies(1, 500)})
            first = 501
            for clients in CLIENTS:
                texts = {"bodies": bodies(first, 14_000), "clients": clients, "seconds": SECONDS}
                before = _transactions(url)
                measured = measure(url, [running], {**spec, **texts})
                first += measured.requests + clients
                batches = _transactions(url) - before
                batch = round(measured.requests / max(1, batches), 1)
                rows.append({"clients": clients, **asdict(measured), "texts_per_batch": batch})
    print_table("sendMessage, one hot team (CPU in ms per request)", rows)
    save("send", rows)


def _transactions(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(distinct xmin::text) from message").fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
