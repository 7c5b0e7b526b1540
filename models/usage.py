"""How much was texted, by day and campaign: a roll-up of messages and ledger entries. Ours."""

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


def _figure() -> Mapped[int]:
    return mapped_column(BigInteger, server_default=text("0"))


class UsageDay(Base):
    """What a team's campaign texted on a day, which is that of message.created_at in UTC.

    `is_ours`: texts that we accepted, which have a row in outbound_text. Those of Spoke's own
    workers have a row of their own here, which sends need not lock.

    No foreign keys, as in outbound_text. No checks either: everybody adds differences to these
    figures, and one that had drifted must not make a send or a report fail.
    """

    __tablename__ = "usage_day"
    __table_args__: Any = (
        Index("usage_day_day_index", "day"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    team_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    is_ours: Mapped[bool] = mapped_column(primary_key=True)
    texts: Mapped[int] = _figure()
    segments: Mapped[int] = _figure()
    media_texts: Mapped[int] = _figure()
    failed: Mapped[int] = _figure()
    credits_used: Mapped[int] = _figure()
