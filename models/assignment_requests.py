"""Requests for texts, and the groups that texters belong to. Spoke's tables.

Spoke calls such a group, a part of an organization's texters, a team: what our API calls a team is
the organization.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import NOW, Base, created_at, updated_at


class AssignmentRequest(Base):
    """A wish of a texter for `amount` contacts to text. `preferred_team_id`: the group's."""

    __tablename__ = "assignment_request"
    __table_args__ = (
        CheckConstraint(
            "status in ('pending', 'approved', 'rejected')", name="assignment_request_status_check"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    organization_id: Mapped[int | None]
    status: Mapped[str | None] = mapped_column(server_default="pending")
    user_id: Mapped[int]
    amount: Mapped[int]
    approved_by_user_id: Mapped[int | None]
    preferred_team_id: Mapped[int | None]


class TexterGroup(Base):
    """`assignment_type`: whether its texters may ask for first texts or for replies."""

    __tablename__ = "team"
    __table_args__: Any = (
        CheckConstraint(
            "assignment_type in ('UNSENT', 'UNREPLIED')", name="team_assignment_type_check"
        ),
        UniqueConstraint("title", "organization_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    text_color: Mapped[str] = mapped_column(server_default="#000000")
    background_color: Mapped[str] = mapped_column(server_default="#000000")
    assignment_priority: Mapped[int | None] = mapped_column(server_default=text("500"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = created_at()
    is_assignment_enabled: Mapped[bool | None] = mapped_column(server_default=false())
    assignment_type: Mapped[str | None]
    max_request_count: Mapped[int | None]
    updated_at: Mapped[datetime | None] = updated_at()


class TexterGroupMember(Base):
    __tablename__ = "user_team"
    __table_args__: Any = (UniqueConstraint("user_id", "team_id"),)

    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()
    id: Mapped[int] = mapped_column(primary_key=True)


class TexterGroupCampaign(Base):
    """A campaign that is handed out to a group."""

    __tablename__ = "campaign_team"
    __table_args__: Any = (UniqueConstraint("campaign_id", "team_id"),)

    campaign_id: Mapped[int | None] = mapped_column(
        ForeignKey("all_campaign.id", ondelete="CASCADE")
    )
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()
    id: Mapped[int] = mapped_column(primary_key=True)


class TexterGroupEscalationTag(Base):
    """A tag that takes conversations from their texter, and that this group takes care of."""

    __tablename__ = "team_escalation_tags"

    team_id: Mapped[int | None]
    tag_id: Mapped[int | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    id: Mapped[int] = mapped_column(primary_key=True)
