"""Sending, and what was said before."""

from typing import Annotated, Any

from strawberry import argument

from resolvers.contacts import answer_of
from resolvers.context import Info
from resolvers.ids import optional_spoke_id, spoke_id, spoke_ids
from schema.inputs import (
    ContactActionInput,
    ContactTagActionInput,
    MessageInput,
    QuestionResponseInput,
)
from services import handling, sending
from services.access import Actor
from services.handling import Handling, OptOutWish, TagWish

IdempotencyKey = Annotated[
    str | None,
    argument(
        description="One's own name for this send. Repeating it once accepted sends nothing and "
        "answers the same; refused, it is tried afresh."
    ),
]


async def send_message(
    info: Info,
    message: Annotated[MessageInput, argument(description="The text.")],
    campaign_contact_id: Annotated[str, argument(description="To whom.")],
    idempotency_key: IdempotencyKey = None,
) -> Any:
    context = info.context
    contact = spoke_id(campaign_contact_id, "campaignContactId")
    draft = sending.make_draft(context.actor, **_wanted(contact, message), key=idempotency_key)
    contact_id = await sending.send_message(context.writer, context.settings, context.actor, draft)
    context.forget_reads()
    return await context.conversations.contacts.ask(contact_id)


async def handle_conversation(
    info: Info,
    campaign_contact_id: Annotated[str, argument(description="Whose.")],
    message: Annotated[MessageInput | None, argument(description="A text to send.")] = None,
    question_responses: Annotated[
        list[QuestionResponseInput | None] | None, argument(description="What they answered.")
    ] = None,
    interaction_step_ids_for_deleted_question_responses: Annotated[
        list[str | None] | None, argument(description="Steps whose answers are taken back.")
    ] = None,
    opt_out: Annotated[
        ContactActionInput | None, argument(description="That they opted out.")
    ] = None,
    close_conversation: Annotated[
        bool | None, argument(description="Whether nothing more is to be said.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    contact_id = spoke_id(campaign_contact_id, "campaignContactId")
    actor = info.context.actor
    wanted = Handling(
        contact_id,
        draft=sending.make_draft(actor, **_wanted(contact_id, message), key=idempotency_key)
        if message
        else None,
        answers=[answer_of(given) for given in question_responses or () if given],
        deleted_step_ids=spoke_ids(
            interaction_step_ids_for_deleted_question_responses, "interactionStepIds"
        ),
        # A key names one text: the confirmation where there is no other.
        opt_out=_opt_out(actor, contact_id, opt_out, key=None if message else idempotency_key)
        if opt_out
        else None,
        closes=bool(close_conversation),
    )
    return await _handled(info, wanted)


async def create_opt_out(info: Info, opt_out: ContactActionInput, campaign_contact_id: str) -> Any:
    contact_id = spoke_id(campaign_contact_id, "campaignContactId")
    wish = _opt_out(info.context.actor, contact_id, opt_out)
    return await _handled(info, Handling(contact_id, opt_out=wish))


async def tag_conversation(
    info: Info,
    campaign_contact_id: Annotated[str, argument(description="Whose.")],
    tag: Annotated[ContactTagActionInput, argument(description="What is to be changed.")],
    idempotency_key: IdempotencyKey = None,
) -> Any:
    actor = info.context.actor
    contact_id = spoke_id(campaign_contact_id, "campaignContactId")
    wish = TagWish(
        added=spoke_ids(tag.added_tag_ids, "addedTagIds"),
        removed=spoke_ids(tag.removed_tag_ids, "removedTagIds"),
        text=sending.make_draft_or_none(
            actor, **_wanted(contact_id, tag.message), key=idempotency_key
        )
        if tag.message
        else None,
    )
    return await _handled(info, Handling(contact_id, tags=wish))


async def _handled(info: Info, wanted: Handling) -> Any:
    context = info.context
    contact_id = await handling.handle_conversation(
        context.transaction, context.writer, context.settings, context.actor, wanted
    )
    context.forget_reads()
    return await context.conversations.contacts.ask(contact_id)


def _opt_out(
    actor: Actor, contact_id: int, given: ContactActionInput, key: str | None = None
) -> OptOutWish:
    return OptOutWish(
        given.cell,
        given.reason or "",
        sending.make_draft_or_none(actor, **_wanted(contact_id, given.message), key=key)
        if given.message
        else None,
    )


def _wanted(contact_id: int, message: MessageInput) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "text": message.text,
        "assignment_id": optional_spoke_id(message.assignment_id, "assignmentId"),
        "contact_number": message.contact_number,
        "version_hash": message.version_hash,
        "campaign_variable_ids": spoke_ids(message.campaign_variable_ids, "campaignVariableIds"),
    }


async def bulk_send_messages(info: Info, assignment_id: str) -> None:
    async with info.context.read() as session:
        await sending.bulk_send_messages(
            session, info.context.actor, assignment_id=spoke_id(assignment_id, "assignmentId")
        )
