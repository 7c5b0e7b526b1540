"""Contacts, their messages and opt-outs, read for all requests of the moment at once."""

from functools import partial

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.contacts import Contact, contacts_by_id
from services.messages import Message, messages_of_contacts
from services.opt_outs import OptOut, opt_outs_of_contacts
from services.settings import Settings
from services.shared_statements import SharedStatements


class Conversations:
    """What the answer to every send shows."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], settings: Settings) -> None:
        self.contacts: SharedStatements[int, Contact | None] = SharedStatements(
            pool, contacts_by_id
        )
        self.messages: SharedStatements[int, list[Message]] = SharedStatements(
            pool, messages_of_contacts
        )
        self.opt_outs: SharedStatements[int, OptOut | None] = SharedStatements(
            pool, partial(opt_outs_of_contacts, are_shared=settings.optouts_share_all_orgs)
        )
