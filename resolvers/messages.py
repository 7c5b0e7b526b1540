"""Sending, and what was said before."""

from typing import Annotated, Any

from strawberry import argument

from resolvers.context import Info
from resolvers.ids import optional_spoke_id, spoke_id, spoke_ids
from schema.inputs import MessageInput
from services import sending


async def send_message(
    info: Info,
    message: Annotated[MessageInput, argument(description="The text.")],
    campaign_contact_id: Annotated[str, argument(description="To whom.")],
    idempotency_key: Annotated[
        str | None,
        argument(
            description="One's own name for this send. Repeating it once accepted sends nothing "
            "and answers the same; refused, it is tried afresh."
        ),
    ] = None,
) -> Any:
    context = info.context
    draft = sending.make_draft(
        context.actor,
        contact_id=spoke_id(campaign_contact_id, "campaignContactId"),
        text=message.text,
        assignment_id=optional_spoke_id(message.assignment_id, "assignmentId"),
        contact_number=message.contact_number,
        version_hash=message.version_hash,
        campaign_variable_ids=spoke_ids(message.campaign_variable_ids, "campaignVariableIds"),
        key=idempotency_key,
    )
    contact_id = await sending.send_message(context.writer, context.settings, context.actor, draft)
    context.forget_reads()
    return await context.conversations.contacts.ask(contact_id)


async def bulk_send_messages(info: Info, assignment_id: str) -> None:
    async with info.context.read() as session:
        await sending.bulk_send_messages(
            session, info.context.actor, assignment_id=spoke_id(assignment_id, "assignmentId")
        )
