"""Tags, by which conversations are sorted. Spoke's tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, UniqueConstraint, false, text, true
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, created_at, updated_at


class Tag(Base):
    """Of a team. Spoke's view `tag` leaves the deleted ones out.

    `confirmation_steps`: what is asked before it is set, each a question and its two answers;
    `on_apply_script`: what is then proposed to be said.
    """

    __tablename__ = "all_tag"
    __table_args__: Any = (UniqueConstraint("title", "organization_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    text_color: Mapped[str] = mapped_column(server_default="#000000")
    background_color: Mapped[str] = mapped_column(server_default="#DDEEEE")
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    confirmation_steps: Mapped[list[list[str]]] = mapped_column(
        ARRAY(TEXT), server_default=text("'{}'")
    )
    on_apply_script: Mapped[str] = mapped_column(server_default="")
    webhook_url: Mapped[str] = mapped_column(server_default="")
    is_assignable: Mapped[bool] = mapped_column(server_default=true())
    is_system: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime())


class ContactTag(Base):
    """A tag on a conversation, and who set it."""

    __tablename__ = "campaign_contact_tag"

    campaign_contact_id: Mapped[int] = mapped_column(
        ForeignKey("campaign_contact.id"), primary_key=True
    )
    tag_id: Mapped[int] = mapped_column(ForeignKey("all_tag.id"), primary_key=True)
    tagger_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()
