"""Contacts and their messages, read for all requests of the moment at once."""

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.contacts import Contact, contacts_by_id
from services.messages import Message, messages_of_contacts
from services.shared_statements import SharedStatements


class Conversations:
    """What the answer to every send shows."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self.contacts: SharedStatements[int, Contact | None] = SharedStatements(
            pool, contacts_by_id
        )
        self.messages: SharedStatements[int, list[Message]] = SharedStatements(
            pool, messages_of_contacts
        )
