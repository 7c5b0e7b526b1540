"""Scripts: steps, their questions and the answers to them."""

from collections.abc import Awaitable
from typing import Any

import strawberry

from models.scripts import InteractionStep
from resolvers.context import Info
from services.questions import AnswerOption


def question(root: strawberry.Parent[InteractionStep]) -> InteractionStep:
    """A step and its question are one row."""
    return root


def question_text(root: strawberry.Parent[InteractionStep]) -> str:
    return root.question


def answer_options(
    root: strawberry.Parent[InteractionStep], info: Info
) -> Awaitable[list[AnswerOption]]:
    return info.context.loaders.answer_options.load(root.id)


def next_step(root: strawberry.Parent[AnswerOption], info: Info) -> Awaitable[Any]:
    return info.context.loaders.steps.load(root.interaction_step_id)
