"""Settings of an organization."""

import strawberry

from resolvers import organization_settings
from resolvers.organization_settings import setting
from schema.enums import AutosendingControlsMode, CampaignBuilderMode, RequestAutoApprove
from schema.fields import field


@strawberry.type(description="Settings of an organization, each for those who may read it.")
class OrganizationSettings:
    id: strawberry.ID
    opt_out_message: str = field(setting("opt_out_message"))
    show_contact_last_name: bool = field(setting("show_contact_last_name"))
    show_contact_cell: bool = field(setting("show_contact_cell"))
    confirmation_click_for_script_links: bool = field(
        setting("confirmation_click_for_script_links")
    )
    show_do_not_assign_message: bool = field(setting("show_do_not_assign_message"))
    do_not_assign_message: str = field(setting("do_not_assign_message"))
    max_sms_segment_length: int | None = field(setting("max_sms_segment_length"))
    start_campaign_requires_approval: bool | None = field(
        setting("start_campaign_requires_approval")
    )
    script_preview_for_supervolunteers: bool | None = field(
        setting("script_preview_for_supervolunteers")
    )
    default_campaign_builder_mode: CampaignBuilderMode | None = field(
        setting("default_campaign_builder_mode")
    )
    default_autosending_controls_mode: AutosendingControlsMode | None = field(
        setting("default_autosending_controls_mode")
    )
    default_texter_approval_status: RequestAutoApprove | None = strawberry.field(
        resolver=setting("default_texter_approval_status"), name="defaulTexterApprovalStatus"
    )
    numbers_api_key: str | None = field(
        setting("numbers_api_key"), "How it begins: the rest is kept secret."
    )
    trollbot_webhook_url: str | None = field(setting("trollbot_webhook_url"))
    credits_enabled: bool = field(
        organization_settings.credits_enabled, "Use credits to control outbound texting."
    )
