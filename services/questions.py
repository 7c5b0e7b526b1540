"""The questions of campaigns' scripts, and what contacts answered."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.scripts import CampaignVariable, InteractionStep, QuestionResponse

MOST_STEPS = 1000
MOST_VARIABLES = 1000


class AnswerOption(NamedTuple):
    """An answer that a question offers, and the step that follows it; or one that a contact gave,
    and the step that asked."""

    interaction_step_id: int
    value: str


async def steps_of_campaigns(
    session: AsyncSession, campaign_ids: Sequence[int]
) -> list[list[InteractionStep]]:
    """For each campaign its steps, in the order in which they were made, at most MOST_STEPS."""
    found: dict[int, list[InteractionStep]] = defaultdict(list)
    for step in await session.scalars(
        select(InteractionStep)
        .where(InteractionStep.campaign_id.in_(campaign_ids), ~InteractionStep.is_deleted)
        .order_by(InteractionStep.id)
    ):
        found[step.campaign_id].append(step)
    return [found[campaign_id][:MOST_STEPS] for campaign_id in campaign_ids]


async def steps_by_id(
    session: AsyncSession, step_ids: Sequence[int]
) -> list[InteractionStep | None]:
    steps = await session.scalars(select(InteractionStep).where(InteractionStep.id.in_(step_ids)))
    found = {step.id: step for step in steps}
    return [found.get(step_id) for step_id in step_ids]


async def options_of_steps(
    session: AsyncSession, step_ids: Sequence[int]
) -> list[list[AnswerOption]]:
    """For each step the answers that it offers, in the order in which they were made."""
    found: dict[int | None, list[AnswerOption]] = defaultdict(list)
    for step in await session.scalars(
        select(InteractionStep)
        .where(InteractionStep.parent_interaction_id.in_(step_ids), ~InteractionStep.is_deleted)
        .order_by(InteractionStep.id)
    ):
        found[step.parent_interaction_id].append(AnswerOption(step.id, step.answer_option))
    return [found[step_id][:MOST_STEPS] for step_id in step_ids]


async def answers_of_contacts(
    session: AsyncSession, contact_ids: Sequence[int]
) -> list[list[AnswerOption]]:
    """For each contact what it answered, one for each question, in the order of the questions."""
    found: dict[int, list[AnswerOption]] = defaultdict(list)
    for answer in await session.scalars(
        select(QuestionResponse)
        .where(
            QuestionResponse.campaign_contact_id.in_(contact_ids),
            QuestionResponse.is_deleted.is_(False),
        )
        .order_by(QuestionResponse.interaction_step_id)
    ):
        option = AnswerOption(answer.interaction_step_id, answer.value)
        found[answer.campaign_contact_id].append(option)
    return [found[contact_id] for contact_id in contact_ids]


async def variables_of_campaigns(
    session: AsyncSession, campaign_ids: Sequence[int]
) -> list[list[CampaignVariable]]:
    """For each campaign its variables, in the order in which they are shown."""
    found: dict[int, list[CampaignVariable]] = defaultdict(list)
    for variable in await session.scalars(
        select(CampaignVariable)
        .where(
            CampaignVariable.campaign_id.in_(campaign_ids), CampaignVariable.deleted_at.is_(None)
        )
        .order_by(CampaignVariable.display_order, CampaignVariable.id)
    ):
        found[variable.campaign_id].append(variable)
    return [found[campaign_id][:MOST_VARIABLES] for campaign_id in campaign_ids]
