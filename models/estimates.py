"""What campaigns will need, as the worker found it. Ours."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class CampaignEstimate(Base):
    """The last figures, and the wish for new ones: while `requested_at` is there, a worker owes
    them. `lease_until` and `fence` say which; after a count that failed, the first says until when
    it is left alone.

    `sampled`: how many contacts were looked at, None for all. `dearest_contact_id`: whose text
    costs most; no foreign key, since Spoke deletes contacts as it likes. `fingerprint`: of what
    the figures rest on besides contacts, see services/preflight.py.
    """

    __tablename__ = "campaign_estimate"
    __table_args__: Any = (
        CheckConstraint(
            "num_nulls(computed_at, contacts, credits, margin, fingerprint) in (0, 5)",
            name="campaign_estimate_is_whole",
        ),
        Index(
            "campaign_estimate_queue",
            "requested_at",
            postgresql_where=text("requested_at is not null"),
        ),
    )

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("all_campaign.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    requested_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    computed_at: Mapped[datetime | None]
    contacts: Mapped[int | None]
    credits: Mapped[int | None] = mapped_column(BigInteger)
    margin: Mapped[int | None] = mapped_column(BigInteger)
    sampled: Mapped[int | None]
    dearest_contact_id: Mapped[int | None]
    fingerprint: Mapped[str | None]
