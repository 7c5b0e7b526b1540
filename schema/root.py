"""The API's table of contents: one line for each root field.

All are nullable: a later refusal in the same document must not take away the answer of work that
is already committed.
"""

from collections.abc import AsyncGenerator

import strawberry

from resolvers import (
    assignment_requests,
    campaigns,
    contacts,
    credits,
    invites,
    messages,
    notices,
    organization_settings,
    organizations,
    teams,
    usage,
    users,
)
from schema.fields import field, subscription
from schema.types.assignment_requests import FoundContact
from schema.types.campaigns import Assignment, Campaign
from schema.types.contacts import CampaignContact
from schema.types.credits import CreditEstimate, CreditPurchase
from schema.types.invites import Invite
from schema.types.notices import CreditNotice
from schema.types.organization_settings import OrganizationSettings
from schema.types.organizations import Organization
from schema.types.teams import Team, TeamPage
from schema.types.usage import UsagePage
from schema.types.users import User


@strawberry.type
class RootQuery:
    current_user: User | None = field(users.current_user, "Who is signed in; null for nobody.")
    organization: Organization | None = field(organizations.organization, "For its members.")
    organizations: list[Organization | None] | None = field(
        organizations.list_organizations, "All of the account. For superadmins."
    )
    invite_by_hash: list[Invite | None] | None = field(
        invites.invite_by_hash, "The one, or none. For anybody who knows it."
    )
    superadmins: list[User] | None = field(users.list_superadmins, "By name. For superadmins.")
    campaign: Campaign | None = field(
        campaigns.campaign, "For those who text it, and SUPERVOLUNTEERs and above."
    )
    assignment: Assignment | None = field(
        campaigns.assignment, "For its texter, and SUPERVOLUNTEERs and above."
    )
    contact: CampaignContact | None = field(
        contacts.contact, "For the texter who has it, and SUPERVOLUNTEERs and above."
    )
    team: Team | None = field(teams.team, "A team and its credits. For its members.")
    teams: TeamPage | None = field(
        teams.list_teams, "All teams of the account. For superadmins. limit: at most 1000."
    )
    account_usage: UsagePage | None = field(
        usage.account_usage,
        "What each team texted, from a day to another, both included; at most 366 days. For "
        "superadmins. limit: at most 1000.",
    )
    credit_notices: list[CreditNotice] | None = field(
        notices.list_notices,
        "Mail about a team's credits, newest first. For its ADMINs and OWNERs, and superadmins. "
        "limit: at most 500.",
    )
    estimate_credits: CreditEstimate | None = field(
        credits.estimate_credits,
        "What texting so many people will cost, for anybody signed in; or a campaign's contacts, "
        "for its team's SUPERVOLUNTEERs and above: null while that is counted for the first time.",
    )


@strawberry.type
class RootMutation:
    set_credits_enabled: Team | None = field(
        teams.set_credits_enabled,
        "Turns the use of credits on or off, at once. For the team's OWNERs and superadmins.",
    )
    set_low_credits_threshold: Team | None = field(
        teams.set_low_credits_threshold,
        "At how many credits to warn, besides at LOW_CREDITS_PERCENTAGES. For superadmins.",
    )
    set_running_low_mail: Team | None = field(
        teams.set_running_low_mail,
        "Turns mail about running low on or off, for everybody who would get it. For the team's "
        "OWNERs and superadmins.",
    )
    add_credits: CreditPurchase | None = field(
        credits.add_credits, "Adds credits to a team. For superadmins."
    )
    remove_credit_purchase: CreditPurchase | None = field(
        credits.remove_credit_purchase,
        "Takes a purchase back, once; remaining credits may become negative. For superadmins.",
    )
    edit_organization_settings: OrganizationSettings | None = field(
        organization_settings.edit_organization_settings,
        "Changes an organization's settings. For its OWNERs and superadmins.",
    )
    handle_conversation: CampaignContact | None = field(
        messages.handle_conversation,
        "All that a texter does to a conversation at once: a text, answers, an opt-out, closing. A "
        "text that is refused keeps the rest out, but for the opt-out, which always stands.",
    )
    create_opt_out: CampaignContact | None = field(
        messages.create_opt_out,
        "Writes down that somebody opted out, and confirms it if it can, whatever credits remain. "
        "For the texter who has the contact, and SUPERVOLUNTEERs and above.",
    )
    tag_conversation: CampaignContact | None = field(
        messages.tag_conversation,
        "Sets tags of a conversation and takes others away, and tells the contact something with "
        "that if it can: the tags stand without it. For the texter who has the contact, and "
        "SUPERVOLUNTEERs and above.",
    )
    bulk_send_messages: list[CampaignContact | None] | None = field(
        messages.bulk_send_messages, "Always refused: texts are sent one by one, by a person."
    )
    get_assignment_contacts: list[CampaignContact | None] | None = field(
        contacts.get_assignment_contacts,
        "An assignment's contacts, for each id one; null where it is another's by now. For its "
        "texter, and SUPERVOLUNTEERs and above. At most 10,000.",
    )
    update_question_responses: CampaignContact | None = field(
        contacts.update_question_responses,
        "Writes down what a contact answered; a later answer replaces the earlier one. For the "
        "texter who has the contact, and SUPERVOLUNTEERs and above.",
    )
    delete_question_responses: CampaignContact | None = field(
        contacts.delete_question_responses, "Takes answers back. For the same people."
    )
    edit_campaign_contact_message_status: CampaignContact | None = field(
        contacts.edit_message_status,
        "needsMessage, needsResponse, convo, messaged or closed. For the same people.",
    )
    request_texts: str | None = field(
        assignment_requests.request_texts,
        "Asks for contacts to text: Created, or No texts available at the moment. Somebody "
        "approves it, or with AUTO_HANDLE_REQUESTS those who need no approval get contacts at "
        "once. For members.",
    )
    find_new_campaign_contact: FoundContact | None = field(
        assignment_requests.find_new_campaign_contact,
        "Fills one's own assignment up to so many contacts without a first text, if one's requests "
        "for texts need nobody's approval.",
    )
    release_my_replies: bool | None = field(
        assignment_requests.release_my_replies,
        "Gives back one's conversations that wait for an answer, for others to take. For members.",
    )
    create_invite: Invite | None = field(
        invites.create_invite, "Makes an invite by which somebody can sign up. For superadmins."
    )
    join_organization: Organization | None = field(
        invites.join_organization, "Makes oneself a TEXTER there. For anybody who knows its uuid."
    )
    user_agree_terms: User | None = field(
        users.user_agree_terms, "Agrees to the terms, for oneself."
    )
    edit_user: User | None = field(
        users.edit_user,
        "Changes a person's particulars: for oneself, and ADMINs of their organization, unless the "
        "person is above them. Without userData it only answers.",
    )
    change_user_password: User | None = field(
        users.change_user_password, "One's own. Ends one's sessions elsewhere."
    )
    edit_super_admin_status: bool | None = field(
        users.edit_super_admin_status,
        "Makes somebody a superadmin, or no longer; somebody remains one. For superadmins.",
    )
    send_message: CampaignContact | None = field(
        messages.send_message,
        "Sends a text and debits the team, or says why not and sends nothing.",
    )


@strawberry.type
class RootSubscription:
    team_credits: AsyncGenerator[Team | None, None] = subscription(
        teams.team_credits,
        "The team as it is, and again after each change: of its status for its members, of its "
        "figures too, at most once a second, for those who may see them. Ends with an error for "
        "who may not see the team any longer.",
    )
    all_team_credits: AsyncGenerator[list[Team] | None, None] = subscription(
        teams.all_team_credits,
        "At first an empty list: from now on nothing is missed. Then the teams that have changed, "
        "at most once a second unless a status has changed, and at most 1000 at once. For "
        "superadmins.",
    )
