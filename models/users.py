"""People, their sign-ins and their roles in teams. Spoke's tables, and our api_token."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, ENUM, JSON
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, identity, updated_at

texter_status = ENUM(
    "do_not_approve", "approval_required", "auto_approve", name="texter_status", create_type=False
)


class User(Base):
    __tablename__ = "user"
    __table_args__ = (
        CheckConstraint(
            "notification_frequency in ('ALL', 'PERIODIC', 'DAILY', 'NONE')",
            name="user_notification_frequency_check",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    auth0_id: Mapped[str]
    first_name: Mapped[str]
    last_name: Mapped[str]
    cell: Mapped[str]
    email: Mapped[str] = mapped_column(CITEXT(), unique=True)
    created_at: Mapped[datetime] = created_at()
    assigned_cell: Mapped[str | None]
    is_superadmin: Mapped[bool | None]
    terms: Mapped[bool | None] = mapped_column(server_default=false())
    updated_at: Mapped[datetime | None] = updated_at()
    notification_frequency: Mapped[str] = mapped_column(server_default="DAILY")
    is_suspended: Mapped[bool] = mapped_column(Boolean, server_default=false())

    @property
    def display_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class UserSession(Base):
    """A sign-in, in the format of express-session with connect-pg-simple."""

    __tablename__ = "user_session"

    sid: Mapped[str] = mapped_column(primary_key=True)
    sess: Mapped[dict[str, Any]] = mapped_column(JSON)
    expire: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(
        Integer, Computed("((((sess -> 'passport') ->> 'user')))::integer", persisted=True)
    )


class Membership(Base):
    __tablename__ = "user_organization"
    __table_args__ = (
        CheckConstraint(
            "role in ('OWNER', 'ADMIN', 'SUPERVOLUNTEER', 'TEXTER', 'SUSPENDED')",
            name="user_organization_role_check",
        ),
        UniqueConstraint("user_id", "organization_id"),
        Index("user_organization_organization_id_index", "organization_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    role: Mapped[str]
    updated_at: Mapped[datetime | None] = updated_at()
    request_status: Mapped[str] = mapped_column(
        texter_status, server_default=text("'approval_required'")
    )


class ApiToken(Base):
    """A secret by which a script acts for a person. Only its SHA-256 is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = created_at()
    revoked_at: Mapped[datetime | None]
