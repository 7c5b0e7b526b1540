"""Invites. Spoke's table."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, updated_at


class Invite(Base):
    """Whoever knows its hash may sign up, and Spoke lets them make an organization, once."""

    __tablename__ = "invite"
    __table_args__ = (Index("invite_is_valid_index", "is_valid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    is_valid: Mapped[bool]
    hash: Mapped[str | None]
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, server_default=text("'{}'"))
