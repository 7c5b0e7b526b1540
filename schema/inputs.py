"""What clients send."""

from typing import Any

import strawberry

from schema.enums import AutosendingControlsMode, CampaignBuilderMode, RequestAutoApprove
from schema.scalars import Date, Phone


@strawberry.input(description="A text to send, as Spoke's client describes it.")
class MessageInput:
    text: str | None = strawberry.field(default=None, description="What the contact will read.")
    contact_number: Phone | None = strawberry.field(
        default=None, description="The contact's number; another number is refused."
    )
    assignment_id: str | None = strawberry.field(
        default=None, description="The contact's assignment as the sender knows it."
    )
    user_id: str | None = strawberry.field(
        default=None, description="Ignored: the sender is the person signed in."
    )
    version_hash: str | None = strawberry.field(
        default=None, description="Which version of the script the text was made from."
    )
    campaign_variable_ids: list[str] | None = strawberry.field(
        default=None, description="Campaign variables that the text used."
    )


@strawberry.input(description="A wish not to be texted any more.")
class ContactActionInput:
    cell: Phone = strawberry.field(description="The contact's number; another is refused.")
    assignment_id: str | None = strawberry.field(default=None, description="Ignored.")
    message: MessageInput | None = strawberry.field(
        default=None, description="What the contact is told. Never refused for lack of credits."
    )
    reason: str | None = strawberry.field(default=None, description="Why.")


@strawberry.input(description="Tags of a conversation to change.")
class ContactTagActionInput:
    added_tag_ids: list[str | None] = strawberry.field(
        description="Tags of its team to set. One that is not assignable takes the conversation "
        "from its texter. At most 200."
    )
    removed_tag_ids: list[str | None] = strawberry.field(
        description="Tags to take away first, if they are there. At most 200."
    )
    message: MessageInput | None = strawberry.field(
        default=None,
        description="What the contact is told, if it can be: the tags stand without it.",
    )


@strawberry.input(description="An answer to a question of a script.")
class QuestionResponseInput:
    campaign_contact_id: str = strawberry.field(description="Who gave it.")
    interaction_step_id: str = strawberry.field(description="The step that asked.")
    value: str = strawberry.field(description="One of the answers that the step offers.")


@strawberry.input(description="An invite. Spoke's client sends it empty, and so it is made.")
class InviteInput:
    id: str | None = strawberry.field(default=None, description="Ignored.")
    is_valid: bool | None = strawberry.field(
        default=None, name="is_valid", description="Ignored: new ones are."
    )
    hash: str | None = strawberry.field(default=None, description="Ignored: it is chosen here.")
    created_at: Date | None = strawberry.field(
        default=None, name="created_at", description="Ignored."
    )


@strawberry.input(description="A person's particulars.")
class UserInput:
    id: str | None = strawberry.field(default=None, description="Ignored: userId says who.")
    first_name: str = strawberry.field(description="Their first name.")
    last_name: str = strawberry.field(description="Their last name.")
    email: str = strawberry.field(description="Also the name to sign in with.")
    cell: str = strawberry.field(description="Their own telephone number.")
    notification_frequency: str = strawberry.field(description="ALL, PERIODIC, DAILY or NONE.")
    old_password: str | None = strawberry.field(
        default=None, description="Ignored: changeUserPassword changes it."
    )
    new_password: str | None = strawberry.field(default=None, description="Ignored.")


@strawberry.input(description="A new password, and proof that one knows the old one.")
class UserPasswordChange:
    password: str = strawberry.field(description="The old one.")
    password_confirm: str = strawberry.field(description="The new one again.")
    new_password: str = strawberry.field(description="At least 8 characters.")


def _setting(description: str, name: str | None = None) -> Any:
    """Left out: as it is. Null: the default, or none."""
    return strawberry.field(default=strawberry.UNSET, description=description, name=name)


@strawberry.input(
    description="Settings to change; those that are left out stay. Null sets back to the default."
)
class OrganizationSettingsInput:
    opt_out_message: str | None = _setting("What people are told who asked not to be texted.")
    show_contact_last_name: bool | None = _setting("Whether texters see last names.")
    show_contact_cell: bool | None = _setting("Whether texters see telephone numbers.")
    confirmation_click_for_script_links: bool | None = _setting(
        "Whether texts with links need another click."
    )
    default_texter_approval_status: RequestAutoApprove | None = _setting(
        "What happens to new texters' requests for texts.", "defaulTexterApprovalStatus"
    )
    numbers_api_key: str | None = _setting("The key for Spoke's number service. Kept secret.")
    trollbot_webhook_url: str | None = _setting("Whom Spoke's TrollBot tells.")
    script_preview_for_supervolunteers: bool | None = _setting(
        "Whether SUPERVOLUNTEERs see scripts of campaigns."
    )
    default_campaign_builder_mode: CampaignBuilderMode | None = _setting(
        "How much of a campaign is shown at first."
    )
    show_do_not_assign_message: bool | None = _setting(
        "Whether texters who get no texts are told so."
    )
    do_not_assign_message: str | None = _setting("What they are told.")
    default_autosending_controls_mode: AutosendingControlsMode | None = _setting(
        "How much of autosending is shown at first."
    )
    max_sms_segment_length: int | None = _setting(
        "Above how many segments texters are warned, 1 to 20; null: never."
    )
    start_campaign_requires_approval: bool | None = _setting(
        "Whether campaigns need a superadmin's approval to start. For superadmins."
    )
    credits_enabled: bool | None = _setting(
        "Use credits to control outbound texting. The same as setCreditsEnabled."
    )


@strawberry.input(description="Which contacts of an assignment.")
class ContactsFilter:
    message_status: str | None = strawberry.field(
        default=None,
        description="needsMessage, needsResponse, needsMessageOrResponse, convo, messaged or "
        "closed; several separated by commas.",
    )
    is_opted_out: bool | None = strawberry.field(
        default=None, description="Only those who have (not) opted out."
    )
    valid_timezone: bool | None = strawberry.field(
        default=None, description="Only those within (outside) texting hours now."
    )
    include_past_due: bool | None = strawberry.field(
        default=None, description="false: leave out campaigns past their due date."
    )
