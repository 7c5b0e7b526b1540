"""Campaigns and who texts which part of them. Spoke's tables."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, updated_at
from models.messaging_services import MessagingService


class Campaign(Base):
    """Read with `is_template` in mind: Spoke's view `campaign` leaves templates out."""

    __tablename__ = "all_campaign"
    __table_args__ = (
        CheckConstraint(
            "autosend_status in ('unstarted', 'sending', 'paused', 'complete')",
            name="campaign_autosend_status_check",
        ),
        Index("campaign_organization_id_index", "organization_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    title: Mapped[str] = mapped_column(server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    is_started: Mapped[bool | None]
    due_by: Mapped[datetime | None]
    created_at: Mapped[datetime] = created_at()
    is_archived: Mapped[bool | None]
    logo_image_url: Mapped[str | None]
    intro_html: Mapped[str | None]
    primary_color: Mapped[str | None]
    texting_hours_start: Mapped[int | None] = mapped_column(server_default=text("9"))
    texting_hours_end: Mapped[int | None] = mapped_column(server_default=text("21"))
    timezone: Mapped[str | None] = mapped_column(server_default="America/New_York")
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    is_autoassign_enabled: Mapped[bool] = mapped_column(server_default=false())
    limit_assignment_to_teams: Mapped[bool] = mapped_column(server_default=false())
    updated_at: Mapped[datetime | None] = updated_at()
    replies_stale_after_minutes: Mapped[int | None]
    landlines_filtered: Mapped[bool | None] = mapped_column(server_default=false())
    external_system_id: Mapped[UUID | None]
    is_approved: Mapped[bool] = mapped_column(server_default=false())
    autosend_status: Mapped[str | None] = mapped_column(server_default="unstarted")
    autosend_user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    is_template: Mapped[bool] = mapped_column(server_default=false())
    messaging_service_sid: Mapped[str | None] = mapped_column(
        ForeignKey(MessagingService.messaging_service_sid)
    )
    autosend_limit: Mapped[int | None]


class Assignment(Base):
    __tablename__ = "assignment"
    __table_args__: Any = (
        UniqueConstraint("user_id", "campaign_id"),
        Index("assignment_campaign_id_index", "campaign_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    campaign_id: Mapped[int] = mapped_column(ForeignKey("all_campaign.id"))
    created_at: Mapped[datetime] = created_at()
    max_contacts: Mapped[int | None]
    updated_at: Mapped[datetime | None] = updated_at()
