"""Contacts and their conversations."""

from collections.abc import Awaitable
from typing import Any

import strawberry

from models.contacts import CampaignContact
from resolvers.context import Info
from resolvers.ids import spoke_id, spoke_ids
from schema.inputs import QuestionResponseInput
from services import answers, contacts
from services.answers import Answer


async def contact(info: Info, id: str) -> Any:
    async with info.context.read() as session:
        return await contacts.get_contact(
            session, info.context.actor, contact_id=spoke_id(id, "id")
        )


async def get_assignment_contacts(
    info: Info,
    assignment_id: str,
    contact_ids: list[str | None] | None = None,
    find_new: bool | None = None,
) -> Any:
    """`find_new`: as in Spoke, none are added."""
    async with info.context.read() as session:
        return await contacts.chosen_contacts(
            session,
            info.context.actor,
            assignment_id=spoke_id(assignment_id, "assignmentId"),
            contact_ids=spoke_ids(contact_ids, "contactIds"),
        )


async def update_question_responses(
    info: Info,
    campaign_contact_id: str,
    question_responses: list[QuestionResponseInput | None] | None = None,
) -> Any:
    async with info.context.transaction() as session:
        return await answers.update_answers(
            session,
            info.context.actor,
            contact_id=spoke_id(campaign_contact_id, "campaignContactId"),
            answers=[answer_of(given) for given in question_responses or () if given],
        )


def answer_of(given: QuestionResponseInput) -> Answer:
    return Answer(
        contact_id=spoke_id(given.campaign_contact_id, "campaignContactId"),
        step_id=spoke_id(given.interaction_step_id, "interactionStepId"),
        value=given.value,
    )


async def delete_question_responses(
    info: Info, campaign_contact_id: str, interaction_step_ids: list[str | None] | None = None
) -> Any:
    async with info.context.transaction() as session:
        return await answers.delete_answers(
            session,
            info.context.actor,
            contact_id=spoke_id(campaign_contact_id, "campaignContactId"),
            step_ids=spoke_ids(
                [one for one in interaction_step_ids or () if one], "interactionStepIds"
            ),
        )


async def edit_message_status(info: Info, message_status: str, campaign_contact_id: str) -> Any:
    async with info.context.transaction() as session:
        return await contacts.set_message_status(
            session,
            info.context.actor,
            contact_id=spoke_id(campaign_contact_id, "campaignContactId"),
            status=message_status,
        )


def messages(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.conversations.messages.ask(root.id)


def opt_out(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.conversations.opt_outs.ask(root.id)


def location(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.loaders.places.load(root.zip)


def question_responses(root: strawberry.Parent[CampaignContact], info: Info) -> Awaitable[Any]:
    return info.context.loaders.answers.load(root.id)
