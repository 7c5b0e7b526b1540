"""Mail to people: a row for each mail and person, what was reported of it, who wants none. Ours."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, identity


class CreditNotice(Base):
    __tablename__ = "credit_notice"
    __table_args__: Any = (
        CheckConstraint(
            "occasion in ('EXHAUSTED', 'RUNNING_LOW', 'SET_UP')",
            name="credit_notice_occasion_check",
        ),
        CheckConstraint("address = lower(address)", name="credit_notice_address_check"),
        CheckConstraint(
            "state in ('QUEUED', 'SENDING', 'SENT', 'FAILED', 'UNKNOWN', 'OBSOLETE', "
            "'DELIVERED', 'BOUNCED', 'DROPPED')",
            name="credit_notice_state_check",
        ),
        UniqueConstraint("occasion", "occasion_id", "address"),
        Index("credit_notice_team_id_index", "team_id", "id"),
        Index(
            "credit_notice_unfinished",
            "id",
            postgresql_where=text("state in ('QUEUED', 'SENDING')"),
        ),
        Index(
            "credit_notice_failed",
            "created_at",
            postgresql_where=text("state in ('FAILED', 'UNKNOWN', 'BOUNCED', 'DROPPED')"),
        ),
        Index(
            "credit_notice_set_up_once_a_day",
            "team_id",
            "address",
            text("((created_at at time zone 'UTC')::date)"),
            unique=True,
            postgresql_where=text("occasion = 'SET_UP'"),
        ),
    )

    id: Mapped[int] = identity()
    occasion: Mapped[str]
    occasion_id: Mapped[int] = mapped_column(BigInteger)
    team_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    address: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="QUEUED")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    created_at: Mapped[datetime] = created_at()
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]


class CreditNoticeEvent(Base):
    """What SendGrid reported of a notice's mail, once however often it did."""

    __tablename__ = "credit_notice_event"
    __table_args__: Any = (Index("credit_notice_event_notice_id_index", "notice_id"),)

    sg_event_id: Mapped[str] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("credit_notice.id", ondelete="CASCADE"))
    kind: Mapped[str]
    reason: Mapped[str | None]
    happened_at: Mapped[datetime]
    created_at: Mapped[datetime] = created_at()


class CreditMailMute(Base):
    """At this address nobody wants to hear that this team is running low."""

    __tablename__ = "credit_mail_mute"
    __table_args__: Any = (
        CheckConstraint("address = lower(address)", name="credit_mail_mute_address_check"),
    )

    team_id: Mapped[int] = mapped_column(
        ForeignKey("organization.id"), primary_key=True, autoincrement=False
    )
    address: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = created_at()
