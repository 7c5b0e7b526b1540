"""Balances, their ledger, and what happened to them that people are told of. Ours."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import NOW, Base, created_at, identity


class CreditAccount(Base):
    """A team's balance: what its ledger entries sum up to. No row: credits were never used.

    `bought_since_empty`: what thresholds are shares of; running_low.py has what counts as empty.
    `low_credits`: warn at so many, too. `low_level`: how many of its thresholds the team has been
    warned of. `low_mail`: whether its owners want such mail.
    """

    __tablename__ = "credit_account"
    __table_args__: Any = (
        CheckConstraint("bought_since_empty >= 0", name="credit_account_bought_check"),
        CheckConstraint("low_credits > 0", name="credit_account_low_credits_check"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    team_id: Mapped[int] = mapped_column(
        ForeignKey("organization.id"), primary_key=True, autoincrement=False
    )
    enabled: Mapped[bool] = mapped_column(server_default=false())
    balance: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    purchased: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    bought_since_empty: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    low_level: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    low_credits: Mapped[int | None] = mapped_column(BigInteger)
    low_mail: Mapped[bool] = mapped_column(server_default=true())


class CreditPurchase(Base):
    """One instance of credits being added. Never changed, but removed at most once."""

    __tablename__ = "credit_purchase"
    __table_args__: Any = (
        CheckConstraint("amount > 0", name="credit_purchase_amount_check"),
        CheckConstraint("char_length(note) between 1 and 1000", name="credit_purchase_note_check"),
        CheckConstraint(
            "(removed_at is null) = (removed_by_name is null)",
            name="credit_purchase_removal_check",
        ),
        Index("credit_purchase_team_id_index", "team_id", "id"),
    )

    id: Mapped[int] = identity()
    team_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    amount: Mapped[int]
    note: Mapped[str | None]
    purchased_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    purchased_by_name: Mapped[str]
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = created_at()
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    removed_by_name: Mapped[str | None]


class CreditEntry(Base):
    """One signed change of a balance. The database refuses to update, delete or truncate it.

    team_id leads the keys, so that the table can be partitioned by it. No foreign keys to what
    Spoke may delete, and none to the team: the account, locked by the same statement, has one.
    """

    __tablename__ = "credit_entry"
    __table_args__: Any = (
        CheckConstraint(
            "case kind when 'PURCHASE' then amount > 0 when 'REMOVAL' then amount < 0 "
            "when 'SEND' then amount < 0 when 'GIVE_BACK' then amount > 0 "
            "when 'SETTLEMENT' then amount <> 0 else false end",
            name="credit_entry_kind_check",
        ),
        CheckConstraint(
            "case when kind in ('PURCHASE', 'REMOVAL') "
            "then purchase_id is not null and message_id is null "
            "else message_id is not null and purchase_id is null end",
            name="credit_entry_cause_check",
        ),
        Index(
            "credit_entry_message_once",
            "team_id",
            "message_id",
            "kind",
            unique=True,
            postgresql_where=text("message_id is not null"),
        ),
        Index(
            "credit_entry_purchase_once",
            "team_id",
            "purchase_id",
            "kind",
            unique=True,
            postgresql_where=text("purchase_id is not null"),
        ),
    )

    team_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    balance_after: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    purchase_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_id: Mapped[int | None]
    created_at: Mapped[datetime] = created_at()


class CreditExhaustion(Base):
    """One episode of a team having run out (EXHAUSTED) or being SHORT; at most one is open.

    It is the outbox of its mail: the worker makes notices of a row without `notices_made_at`.
    """

    __tablename__ = "credit_exhaustion"
    __table_args__: Any = (
        CheckConstraint(
            "case reason when 'EXHAUSTED' then remaining <= 0 "
            "when 'SHORT' then remaining > 0 and required > remaining else false end",
            name="credit_exhaustion_reason_check",
        ),
        Index(
            "credit_exhaustion_one_open",
            "team_id",
            unique=True,
            postgresql_where=text("closed_at is null"),
        ),
        Index("credit_exhaustion_outbox", "id", postgresql_where=text("notices_made_at is null")),
    )

    id: Mapped[int] = identity()
    team_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    reason: Mapped[str]
    remaining: Mapped[int] = mapped_column(BigInteger)
    required: Mapped[int | None] = mapped_column(BigInteger)
    opened_at: Mapped[datetime] = created_at()
    closed_at: Mapped[datetime | None]
    notices_made_at: Mapped[datetime | None]


class CreditWarning(Base):
    """A team came down to `threshold`, the lowest one reached. It is the outbox of its mail."""

    __tablename__ = "credit_warning"
    __table_args__: Any = (
        CheckConstraint("remaining between 1 and threshold", name="credit_warning_remaining_check"),
        Index("credit_warning_outbox", "id", postgresql_where=text("notices_made_at is null")),
    )

    id: Mapped[int] = identity()
    team_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    remaining: Mapped[int] = mapped_column(BigInteger)
    threshold: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = created_at()
    notices_made_at: Mapped[datetime | None]


class CreditSwitch(Base):
    """Credits were turned on or off. Turned on with nothing left, it is the outbox of its mail."""

    __tablename__ = "credit_switch"
    __table_args__: Any = (
        Index(
            "credit_switch_outbox",
            "id",
            postgresql_where=text("enabled and remaining <= 0 and notices_made_at is null"),
        ),
    )

    id: Mapped[int] = identity()
    team_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    enabled: Mapped[bool]
    remaining: Mapped[int] = mapped_column(BigInteger)
    switched_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = created_at()
    notices_made_at: Mapped[datetime | None]


class LedgerCheck(Base):
    """The one row about the last proof of all balances, and who is at the next."""

    __tablename__ = "ledger_check"
    __table_args__: Any = (CheckConstraint("is_only", name="ledger_check_is_only"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    lease_until: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    entries: Mapped[int | None] = mapped_column(BigInteger)
    drifting_teams: Mapped[int | None]
