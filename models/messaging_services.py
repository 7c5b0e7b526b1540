"""Accounts at providers, and what comes in by them. Spoke's tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSON, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import NOW, Base, created_at, updated_at

messaging_service_type = ENUM(
    "twilio", "assemble-numbers", name="messaging_service_type", create_type=False
)


class MessagingService(Base):
    """At Twilio, a group of numbers from which a team's texts go out."""

    __tablename__ = "messaging_service"
    __table_args__: Any = (
        CheckConstraint("active or is_default <> true", name="no_inactive_default"),
        Index("messaging_service_active_index", "active"),
        Index("messaging_service_organization_id_index", "organization_id"),
        Index("messaging_service_service_type_index", "service_type"),
        Index(
            "messaging_service_default_for_organization_index",
            "organization_id",
            "is_default",
            unique=True,
            postgresql_where=text("is_default"),
        ),
    )

    messaging_service_sid: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[int | None]
    account_sid: Mapped[str] = mapped_column(server_default="")
    encrypted_auth_token: Mapped[str] = mapped_column(server_default="")
    updated_at: Mapped[datetime | None] = updated_at()
    service_type: Mapped[str] = mapped_column(messaging_service_type)
    name: Mapped[str] = mapped_column(String(255), server_default="")
    active: Mapped[bool] = mapped_column(server_default=true())
    is_default: Mapped[bool | None]


messaging_service_stick = Table(
    "messaging_service_stick",
    Base.metadata,
    Column("cell", Text, nullable=False),
    Column("organization_id", Integer, nullable=False),
    Column("messaging_service_sid", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), server_default=NOW),
    UniqueConstraint("cell", "organization_id"),
    Index("messaging_service_stick_messaging_service_sid_index", "messaging_service_sid"),
)
"""From which service of a team a cell is texted, always. Spoke gave it no key to be a model by."""


class UnsolicitedMessage(Base):
    """A text from somebody whom its team has never texted."""

    __tablename__ = "unsolicited_message"

    id: Mapped[int] = mapped_column(primary_key=True)
    messaging_service_sid: Mapped[str] = mapped_column(
        ForeignKey(MessagingService.messaging_service_sid)
    )
    service_id: Mapped[str]
    from_number: Mapped[str]
    body: Mapped[str]
    num_segments: Mapped[int]
    num_media: Mapped[int]
    media_urls: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default="{}")
    service_response: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
