"""Invites, and joining an organization."""

from typing import Any

from resolvers.context import Info
from schema.inputs import InviteInput
from services import invites


async def invite_by_hash(info: Info, hash: str) -> Any:
    async with info.context.read() as session:
        return await invites.find_invites(session, hash=hash)


async def create_invite(info: Info, invite: InviteInput) -> Any:
    async with info.context.transaction() as session:
        return await invites.create_invite(session, info.context.actor)


async def join_organization(info: Info, organization_uuid: str) -> Any:
    async with info.context.transaction() as session:
        return await invites.join_organization(
            session, info.context.actor, organization_uuid=organization_uuid
        )
