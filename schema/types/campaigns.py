"""Campaigns and assignments."""

import strawberry

from resolvers import campaigns
from schema.enums import CreditStatus
from schema.fields import field
from schema.scalars import Date
from schema.types.contacts import CampaignContact
from schema.types.credits import CampaignCreditEstimate
from schema.types.organizations import Organization
from schema.types.scripts import CampaignVariable, CannedResponse, InteractionStep
from schema.types.users import User


@strawberry.type(description="An effort to text a list of contacts.")
class Campaign:
    id: strawberry.ID
    title: str
    description: str
    due_by: Date | None
    is_started: bool | None
    is_archived: bool | None
    logo_image_url: str | None
    intro_html: str | None
    primary_color: str | None
    texting_hours_start: int | None
    texting_hours_end: int | None
    timezone: str | None
    organization: Organization = field(campaigns.organization)
    has_unassigned_contacts: bool | None = field(
        campaigns.has_unassigned_contacts, "Whether somebody still has to take contacts."
    )
    custom_fields: list[str | None] | None = field(
        campaigns.custom_fields, "Names of the custom fields of its contacts."
    )
    interaction_steps: list[InteractionStep | None] | None = field(
        campaigns.interaction_steps, "The steps of its script; the one without a parent begins it."
    )
    campaign_variables: list[CampaignVariable] = field(campaigns.campaign_variables)
    canned_responses: list[CannedResponse] = field(
        campaigns.canned_responses, "Texts to choose, for all of its texters."
    )
    credit_status: CreditStatus | None = field(
        campaigns.credit_status, "Whether its team can send. For the team's members."
    )
    credit_estimate: CampaignCreditEstimate | None = field(
        campaigns.credit_estimate,
        "What its first texts will need; nothing, once it is archived. Null while that is counted "
        "for the first time: ask again in a second. Of many campaigns, some are counted each time "
        "they are asked for. For its team's SUPERVOLUNTEERs and above.",
    )


@strawberry.type(description="One texter's part of a campaign.")
class Assignment:
    id: strawberry.ID
    max_contacts: int | None
    texter: User = field(campaigns.assignment_texter)
    campaign: Campaign = field(campaigns.assignment_campaign)
    campaign_canned_responses: list[CannedResponse] = field(
        campaigns.assignment_canned_responses, "Texts to choose, for all of its campaign's texters."
    )
    user_canned_responses: list[CannedResponse] = field(
        campaigns.user_canned_responses, "Texts to choose that its texter made."
    )
    contacts: list[CampaignContact] = field(
        campaigns.assignment_contacts, "Its contacts, by id; at most 10,000."
    )
    contacts_count: int = field(campaigns.assignment_contacts_count, "How many contacts.")
    credit_status: CreditStatus | None = field(
        campaigns.assignment_credit_status,
        "Whether its team can send: what a banner needs. For the team's members.",
    )
