"""Contacts and their conversations."""

from collections.abc import Awaitable
from typing import Any

import strawberry

from models.contacts import CampaignContact
from resolvers.context import Info
from resolvers.ids import spoke_id
from services import contacts


async def contact(info: Info, id: str) -> Any:
    async with info.context.read() as session:
        return await contacts.get_contact(
            session, info.context.actor, contact_id=spoke_id(id, "id")
        )


def messages(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.conversations.messages.ask(root.id)


def opt_out(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.loaders.opt_outs.load(root.id)


def location(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.loaders.places.load(root.zip)


def answers(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.loaders.answers.load(root.id)
