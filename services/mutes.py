"""Who wants no mail when a team runs low, and the link by which they say so without signing in.

The link is good for that alone: one team, one address. It is signed and never expires, as mail is
read late.
"""

import hashlib
from dataclasses import dataclass
from urllib.parse import urlencode

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from models.notices import CreditMailMute
from models.organizations import Organization
from services.settings import Settings

MUTE_PATH = "/running-low-mail"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who gets, or got, mail about a team's running low."""

    team_id: int
    address: str


@dataclass(frozen=True, slots=True)
class Choice:
    team_name: str
    is_muted: bool


def _serializer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        secret,
        salt="running-low-mail",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def mute_link(settings: Settings, secret: str, reader: Reader) -> str:
    token = _serializer(secret).dumps([reader.team_id, reader.address])
    return f"{settings.address}{MUTE_PATH}?{urlencode({'reader': token})}"


def reader_of(token: str, secret: str) -> Reader | None:
    """None where the signature is not ours."""
    try:
        team_id, address = _serializer(secret).loads(token)
    except BadData:
        return None
    return Reader(team_id, address)


def is_muted(
    team_id: InstrumentedAttribute[int] | int, address: ColumnElement[str] | str
) -> ColumnElement[bool]:
    return (
        select(CreditMailMute.team_id)
        .where(CreditMailMute.team_id == team_id, CreditMailMute.address == address)
        .exists()
    )


async def get_choice(session: AsyncSession, reader: Reader) -> Choice | None:
    """None where the team is gone."""
    row = await session.execute(
        select(Organization.name, is_muted(reader.team_id, reader.address)).where(
            Organization.id == reader.team_id
        )
    )
    found = row.one_or_none()
    return Choice(*found) if found else None


async def choose(session: AsyncSession, reader: Reader, *, muted: bool) -> Choice | None:
    """None, and nothing done, where the team is gone."""
    if await get_choice(session, reader) is None:
        return None
    if muted:
        await session.execute(
            insert(CreditMailMute)
            .values(team_id=reader.team_id, address=reader.address)
            .on_conflict_do_nothing()
        )
    else:
        await session.execute(
            delete(CreditMailMute).where(
                CreditMailMute.team_id == reader.team_id, CreditMailMute.address == reader.address
            )
        )
    return await get_choice(session, reader)
