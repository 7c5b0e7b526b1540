"""People who are texted, those who asked not to be, and where they live. Spoke's tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    REAL,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, updated_at

_NOT_ARCHIVED = text("archived = false")


class CampaignContact(Base):
    __tablename__ = "campaign_contact"
    __table_args__: Any = (
        CheckConstraint(
            "message_status in "
            "('needsMessage', 'needsResponse', 'convo', 'messaged', 'closed', 'UPDATING')",
            name="campaign_contact_message_status_check",
        ),
        UniqueConstraint("cell", "campaign_id"),
        Index("campaign_contact_campaign_id_index", "campaign_id"),
        Index(
            "campaign_contact_assignment_id_partial_index",
            "assignment_id",
            postgresql_where=_NOT_ARCHIVED,
        ),
        Index(
            "campaign_contact_todos_partial_index",
            "campaign_id",
            "assignment_id",
            "message_status",
            "is_opted_out",
            postgresql_where=_NOT_ARCHIVED,
        ),
        Index(
            "campaign_contact_needs_response_partial_index",
            "campaign_id",
            "updated_at",
            postgresql_with={"fillfactor": 70},
            postgresql_where=text("message_status = 'needsResponse' and assignment_id is not null"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("all_campaign.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"))
    external_id: Mapped[str] = mapped_column(server_default="")
    first_name: Mapped[str] = mapped_column(server_default="")
    last_name: Mapped[str] = mapped_column(server_default="")
    cell: Mapped[str]
    zip: Mapped[str] = mapped_column(server_default="")
    custom_fields: Mapped[str] = mapped_column(server_default="{}")
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    message_status: Mapped[str] = mapped_column(server_default="needsMessage")
    is_opted_out: Mapped[bool | None] = mapped_column(server_default=false())
    timezone: Mapped[str | None] = mapped_column(String(255))
    archived: Mapped[bool | None] = mapped_column(server_default=false())


class OptOut(Base):
    __tablename__ = "opt_out"
    __table_args__ = (UniqueConstraint("cell", "organization_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    cell: Mapped[str]
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    reason_code: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()


class ZipCode(Base):
    """A place in the United States."""

    __tablename__ = "zip_code"

    zip: Mapped[str] = mapped_column(primary_key=True)
    city: Mapped[str]
    state: Mapped[str]
    latitude: Mapped[float] = mapped_column(REAL)
    longitude: Mapped[float] = mapped_column(REAL)
    timezone_offset: Mapped[float] = mapped_column(REAL)
    has_dst: Mapped[bool]
