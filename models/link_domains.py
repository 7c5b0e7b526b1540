"""Domains by which a team's texts link. Spoke's tables."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, updated_at


class LinkDomain(Base):
    """One that stands in for the team's others, for so many texts at a time.

    `cycled_out_at`: when it last was through with them.
    """

    __tablename__ = "link_domain"
    __table_args__ = (Index("link_domain_organization_id_index", "organization_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    domain: Mapped[str] = mapped_column(unique=True)
    max_usage_count: Mapped[int]
    current_usage_count: Mapped[int] = mapped_column(server_default=text("0"))
    is_manually_disabled: Mapped[bool] = mapped_column(server_default=false())
    cycled_out_at: Mapped[datetime] = created_at()
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()


class UnhealthyLinkDomain(Base):
    """One of which carriers think badly, whoever's it is."""

    __tablename__ = "unhealthy_link_domain"
    __table_args__ = (
        Index("unhealthy_link_domain_domain_created_at_index", "domain", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    domain: Mapped[str]
    created_at: Mapped[datetime] = created_at()
    healthy_again_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None] = updated_at()
