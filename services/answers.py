"""What contacts answered to a script's questions: writing it down, and taking it back."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.contacts import CampaignContact
from models.scripts import InteractionStep, QuestionResponse
from services.access import Actor
from services.contacts import lock_contact
from services.errors import InvalidInput
from services.texts import checked

LONGEST_ANSWER = 2000
MOST_ANSWERS = 200
"""At once."""


class Answer(NamedTuple):
    """`contact_id`: as the client says it."""

    contact_id: int
    step_id: int
    value: str


async def update_answers(
    session: AsyncSession, actor: Actor, *, contact_id: int, answers: Sequence[Answer]
) -> CampaignContact:
    """A later answer to a question takes the place of the earlier one, which is kept as deleted.

    For the texter who has the contact, and SUPERVOLUNTEERs and above. Raises Forbidden,
    InvalidInput, NotFound.
    """
    contact = await lock_contact(session, actor, contact_id=contact_id)
    await write_answers(session, contact, answers)
    return contact


async def delete_answers(
    session: AsyncSession, actor: Actor, *, contact_id: int, step_ids: Sequence[int]
) -> CampaignContact:
    """Those to these questions, where there are any. They are kept as deleted.

    For the same people. Raises Forbidden, InvalidInput, NotFound.
    """
    contact = await lock_contact(session, actor, contact_id=contact_id)
    await take_answers_back(session, contact, step_ids)
    return contact


async def write_answers(
    session: AsyncSession, contact: CampaignContact, answers: Sequence[Answer]
) -> None:
    """Of a contact that is locked. Raises InvalidInput."""
    _require_few(answers)
    if any(answer.contact_id != contact.id for answer in answers):
        raise InvalidInput("An answer is another contact's.")
    values = {
        answer.step_id: checked(answer.value, "An answer", longest=LONGEST_ANSWER)
        for answer in answers
    }
    if not all(value.strip() for value in values.values()):
        raise InvalidInput("An answer is empty.")
    await _require_steps(session, contact, values.keys())
    if values:
        await session.execute(
            insert(QuestionResponse),
            [
                {"campaign_contact_id": contact.id, "interaction_step_id": step_id, "value": value}
                for step_id, value in sorted(values.items())
            ],
        )


async def take_answers_back(
    session: AsyncSession, contact: CampaignContact, step_ids: Sequence[int]
) -> None:
    """Of a contact that is locked. Raises InvalidInput."""
    _require_few(step_ids)
    await session.execute(
        update(QuestionResponse)
        .where(
            QuestionResponse.campaign_contact_id == contact.id,
            QuestionResponse.interaction_step_id.in_(step_ids),
            QuestionResponse.is_deleted.is_(False),
        )
        .values(is_deleted=True)
    )


def _require_few(asked: Sequence[object]) -> None:
    if len(asked) > MOST_ANSWERS:
        raise InvalidInput(f"Those are more than {MOST_ANSWERS} answers.")


async def _require_steps(
    session: AsyncSession, contact: CampaignContact, step_ids: Collection[int]
) -> None:
    """Of the contact's campaign, deleted or not: a texter may have the script open since before."""
    found = await session.scalars(
        select(InteractionStep.id).where(
            InteractionStep.id.in_(step_ids),
            InteractionStep.campaign_id == contact.campaign_id,
        )
    )
    if set(found) != set(step_ids):
        raise InvalidInput("There is no such question in this campaign's script.")
