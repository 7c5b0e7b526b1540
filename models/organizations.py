"""Tenants. Spoke's tables."""

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, updated_at


class Organization(Base):
    """A team, as our API calls it."""

    __tablename__ = "organization"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str | None]
    name: Mapped[str]
    created_at: Mapped[datetime] = created_at()
    features: Mapped[str | None] = mapped_column(server_default="")
    texting_hours_enforced: Mapped[bool | None] = mapped_column(server_default=false())
    texting_hours_start: Mapped[int | None] = mapped_column(server_default=text("9"))
    texting_hours_end: Mapped[int | None] = mapped_column(server_default=text("21"))
    updated_at: Mapped[datetime | None] = updated_at()
    monthly_message_limit: Mapped[int | None] = mapped_column(BigInteger)
    default_texting_tz: Mapped[str] = mapped_column(String(255), server_default="America/New_York")
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    autosending_mps: Mapped[int | None]


class MonthlyMessageUsage(Base):
    """How much a team sent in a month, counted by Spoke's workers."""

    __tablename__ = "monthly_organization_message_usages"

    organization_id: Mapped[int] = mapped_column(
        ForeignKey("organization.id"), primary_key=True, autoincrement=False
    )
    month: Mapped[date] = mapped_column(primary_key=True)
    sent_message_count: Mapped[int | None] = mapped_column(BigInteger)
