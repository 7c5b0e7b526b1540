"""What texters are given to say: a campaign's questions and its variables. Spoke's tables."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import NOW, Base, created_at, updated_at


class InteractionStep(Base):
    """A question and the scripts that ask it. The one without a parent begins a conversation."""

    __tablename__ = "interaction_step"
    __table_args__ = (
        Index("interaction_step_campaign_id_index", "campaign_id"),
        Index("interaction_step_parent_interaction_id_index", "parent_interaction_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("all_campaign.id"))
    question: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = created_at()
    parent_interaction_id: Mapped[int | None] = mapped_column(
        ForeignKey("interaction_step.id", ondelete="CASCADE")
    )
    answer_option: Mapped[str] = mapped_column(server_default="")
    answer_actions: Mapped[str] = mapped_column(server_default="")
    is_deleted: Mapped[bool] = mapped_column(server_default=false())
    script_options: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    updated_at: Mapped[datetime | None] = updated_at()


class CampaignVariable(Base):
    """A value that a campaign's scripts use by its name, which begins with `cv:`."""

    __tablename__ = "campaign_variable"
    __table_args__ = (
        CheckConstraint(r"name ~ '^cv:[a-zA-Z0-9 \-_]+$'", name="check_name"),
        Index(
            "campaign_variable_unique_name_per_campaign",
            "campaign_id",
            "name",
            unique=True,
            postgresql_where=text("deleted_at is null"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("all_campaign.id"))
    display_order: Mapped[int]
    name: Mapped[str]
    value: Mapped[str | None]
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    deleted_at: Mapped[datetime | None]
