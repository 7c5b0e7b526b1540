"""What texters are given to say: a campaign's questions, canned responses and variables; and what
people answered. Spoke's tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
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


class QuestionResponse(Base):
    """Spoke's view `question_response` leaves the deleted ones out. Of the others a contact has one
    for each question: triggers see to it."""

    __tablename__ = "all_question_response"
    __table_args__ = (
        Index("question_response_campaign_contact_id_index", "campaign_contact_id"),
        Index(
            "question_response_one_for_each_step",
            "interaction_step_id",
            "campaign_contact_id",
            unique=True,
            postgresql_where=text("is_deleted = false"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_contact_id: Mapped[int] = mapped_column(ForeignKey("campaign_contact.id"))
    interaction_step_id: Mapped[int] = mapped_column(ForeignKey("interaction_step.id"))
    value: Mapped[str]
    created_at: Mapped[datetime] = created_at()
    is_deleted: Mapped[bool | None] = mapped_column(server_default=false())
    updated_at: Mapped[datetime | None] = mapped_column(server_default=NOW)


class CannedResponse(Base):
    """A text to choose. `user_id`: the texter who made it for themselves; None for everybody's."""

    __tablename__ = "canned_response"
    __table_args__: Any = (
        UniqueConstraint("campaign_id", "display_order"),
        UniqueConstraint("campaign_id", "title"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("all_campaign.id"))
    text: Mapped[str]
    title: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime | None] = updated_at()
    display_order: Mapped[int] = mapped_column(server_default="1")

    @property
    def is_user_created(self) -> bool:
        return self.user_id is not None
