"""Contacts and their messages, read for all requests of the moment at once."""

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.contacts import Contact, contacts_by_id
from services.messages import Message, messages_of_contacts
from services.shared_reads import SharedReads


class Conversations:
    """What the answer to every send shows."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self.contacts: SharedReads[int, Contact | None] = SharedReads(pool, contacts_by_id)
        self.messages: SharedReads[int, list[Message]] = SharedReads(pool, messages_of_contacts)
