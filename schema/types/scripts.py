"""What texters are given to say, and what was answered."""

import strawberry

from resolvers import scripts
from schema.fields import field


@strawberry.type(description="A step of a campaign's script: what to say, and what to ask.")
class InteractionStep:
    id: strawberry.ID
    parent_interaction_id: str | None
    script_options: list[str | None]
    question: "Question | None" = field(scripts.question)


@strawberry.type(description="What a step asks.")
class Question:
    text: str | None = field(scripts.question_text)
    answer_options: "list[AnswerOption | None] | None" = field(
        scripts.answer_options, "The answers that it offers."
    )


@strawberry.type(
    description="An answer that a question offers, with the step that follows it; or one that was "
    "given, with the step that asked."
)
class AnswerOption:
    interaction_step_id: int | None
    value: str | None
    next_interaction_step: "InteractionStep | None" = field(scripts.next_step)


@strawberry.type(description="A value that a campaign's scripts use by its name.")
class CampaignVariable:
    id: strawberry.ID
    name: str
    value: str | None


@strawberry.type(description="A text to choose.")
class CannedResponse:
    id: strawberry.ID
    title: str
    text: str
    display_order: int
    is_user_created: bool | None
