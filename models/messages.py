"""Texts. Spoke's `message`, and our outbound_text: the queue of those that we accepted."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import NOW, Base, created_at, updated_at


class Message(Base):
    __tablename__ = "message"
    __table_args__: Any = (
        CheckConstraint(
            "send_status in "
            "('QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'ERROR', 'PAUSED', 'NOT_ATTEMPTED')",
            name="message_send_status_check",
        ),
        *(
            Index(f"message_{column}_index", column)
            for column in (
                "assignment_id",
                "campaign_contact_id",
                "contact_number",
                "created_at",
                "send_status",
                "service_id",
                "user_number",
            )
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_number: Mapped[str] = mapped_column(server_default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    contact_number: Mapped[str]
    is_from_contact: Mapped[bool]
    text: Mapped[str] = mapped_column(server_default="")
    service_response: Mapped[str | None] = mapped_column(server_default="[]")
    assignment_id: Mapped[int]
    service: Mapped[str] = mapped_column(server_default="")
    service_id: Mapped[str] = mapped_column(server_default="")
    send_status: Mapped[str]
    created_at: Mapped[datetime] = created_at()
    queued_at: Mapped[datetime] = mapped_column(server_default=NOW)
    sent_at: Mapped[datetime] = mapped_column(server_default=NOW)
    service_response_at: Mapped[datetime] = mapped_column(server_default=NOW)
    send_before: Mapped[datetime] = mapped_column(server_default=NOW)
    campaign_contact_id: Mapped[int | None] = mapped_column(ForeignKey("campaign_contact.id"))
    updated_at: Mapped[datetime | None] = updated_at()
    script_version_hash: Mapped[str | None] = mapped_column(String(255))
    error_codes: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    num_segments: Mapped[int | None] = mapped_column(SmallInteger)
    num_media: Mapped[int | None] = mapped_column(SmallInteger)
    campaign_variable_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default="{}")


class OutboundText(Base):
    """One row for each text that we accepted: the send queue, the memory of keys, and what was
    settled of it, in credits, once its provider had counted.

    No foreign keys: creating one to `message` would wait for every open send, checking one costs
    each send, and Spoke deletes messages as it likes.
    """

    __tablename__ = "outbound_text"
    __table_args__: Any = (
        CheckConstraint(
            "state in ('QUEUED', 'SENDING', 'UNKNOWN', 'DONE')", name="outbound_text_state_check"
        ),
        CheckConstraint(
            "(idempotency_key is null) = (fingerprint is null)",
            name="outbound_text_key_has_fingerprint",
        ),
        Index(
            "outbound_text_key",
            "user_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key is not null"),
        ),
        CheckConstraint(
            "reported in ('SENT', 'DELIVERED', 'UNDELIVERED', 'FAILED', 'NOT_ATTEMPTED')",
            name="outbound_text_reported_check",
        ),
        CheckConstraint(
            "(state = 'UNKNOWN') <= (unknown_because is not null)",
            name="outbound_text_unknown_has_reason",
        ),
        Index(
            "outbound_text_queue", "due_at", "message_id", postgresql_where=text("state = 'QUEUED'")
        ),
        Index(
            "outbound_text_unfinished",
            "contact_id",
            "message_id",
            postgresql_where=text("state <> 'DONE'"),
        ),
        Index(
            "outbound_text_service_id",
            "service_id",
            unique=True,
            postgresql_where=text("service_id is not null"),
        ),
        Index(
            "outbound_text_in_doubt",
            "lease_until",
            postgresql_where=text("state in ('SENDING', 'UNKNOWN')"),
        ),
    )

    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    team_id: Mapped[int]
    user_id: Mapped[int]
    idempotency_key: Mapped[str | None]
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(server_default="QUEUED")
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    contact_id: Mapped[int]
    messaging_service_sid: Mapped[str | None]
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    handed_at: Mapped[datetime | None]
    unknown_because: Mapped[str | None]
    reported: Mapped[str | None]
    reported_segments: Mapped[int | None] = mapped_column(SmallInteger)
    settled: Mapped[int] = mapped_column(server_default=text("0"))
    given_back: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = created_at()
    service_id: Mapped[str | None]


class ProviderRecount(Base):
    """Up to when the texts of an account were counted by its provider's own list."""

    __tablename__ = "provider_recount"

    account_sid: Mapped[str] = mapped_column(primary_key=True)
    counted_until: Mapped[datetime]
    due_at: Mapped[datetime]
