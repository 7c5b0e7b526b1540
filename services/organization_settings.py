"""An organization's settings, as Spoke keeps them: JSON in `organization.features`.

It may hold more than we know of, which stays. What isn't there, or makes no sense, is the default.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import HttpUrl, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.organizations import Organization
from services.access import Actor, Role, has_role, require_role, require_superadmin
from services.credits import set_credits_enabled
from services.errors import Forbidden, InvalidInput, NotFound
from services.teams import Team
from services.texts import checked_or_none

LONGEST = 2000
"""Characters of a setting."""
MOST_SEGMENTS = 20
CREDITS_ENABLED = "credits_enabled"
"""A setting by name, but kept in the team's account."""


class CampaignBuilderMode(StrEnum):
    BASIC = "BASIC"
    ADVANCED = "ADVANCED"
    TEMPLATE = "TEMPLATE"


class AutosendingControlsMode(StrEnum):
    BASIC = "BASIC"
    DETAILED = "DETAILED"


class RequestAutoApprove(StrEnum):
    """Values as memberships have them."""

    DO_NOT_APPROVE = "do_not_approve"
    APPROVAL_REQUIRED = "approval_required"
    AUTO_APPROVE = "auto_approve"


@dataclass(frozen=True, slots=True)
class Setting:
    """`key`: in the JSON, where choices stand by their names. `reader`: the least role that may
    read it; OWNERs write it, unless only superadmins do."""

    key: str
    kind: type
    default: Any
    reader: Role
    is_for_superadmins: bool = False


SETTINGS = {
    "opt_out_message": Setting(
        "opt_out_message",
        str,
        "I'm opting you out of texts immediately. Have a great day.",
        Role.TEXTER,
    ),
    "show_contact_last_name": Setting("showContactLastName", bool, False, Role.TEXTER),
    "show_contact_cell": Setting("showContactCell", bool, False, Role.TEXTER),
    "confirmation_click_for_script_links": Setting(
        "confirmationClickForScriptLinks", bool, True, Role.TEXTER
    ),
    "show_do_not_assign_message": Setting("showDoNotAssignMessage", bool, False, Role.TEXTER),
    "do_not_assign_message": Setting(
        "doNotAssignMessage",
        str,
        "You can't request texts at the moment. Please ask one of your team's leaders.",
        Role.TEXTER,
    ),
    "max_sms_segment_length": Setting("maxSmsSegmentLength", int, 3, Role.TEXTER),
    "start_campaign_requires_approval": Setting(
        "startCampaignRequiresApproval", bool, False, Role.SUPERVOLUNTEER, is_for_superadmins=True
    ),
    "script_preview_for_supervolunteers": Setting(
        "scriptPreviewForSupervolunteers", bool, False, Role.SUPERVOLUNTEER
    ),
    "default_campaign_builder_mode": Setting(
        "defaultCampaignBuilderMode",
        CampaignBuilderMode,
        CampaignBuilderMode.ADVANCED,
        Role.SUPERVOLUNTEER,
    ),
    "default_autosending_controls_mode": Setting(
        "defaultAutosendingControlsMode",
        AutosendingControlsMode,
        AutosendingControlsMode.DETAILED,
        Role.ADMIN,
    ),
    "default_texter_approval_status": Setting(
        "defaulTexterApprovalStatus",
        RequestAutoApprove,
        RequestAutoApprove.APPROVAL_REQUIRED,
        Role.OWNER,
    ),
    "numbers_api_key": Setting("numbersApiKey", str, None, Role.OWNER),
    "trollbot_webhook_url": Setting("trollbotWebhookUrl", str, None, Role.OWNER),
}
_MAY_BE_UNSET = frozenset({"max_sms_segment_length", "numbers_api_key", "trollbot_webhook_url"})


class OrganizationSettings(NamedTuple):
    """As `team` is seen by who asks."""

    team: Team
    features: Mapping[str, Any]

    @property
    def id(self) -> int:
        return self.team.id

    def shown(self, actor: Actor, name: str) -> Any:
        """Of a secret only how it begins. Raises Forbidden."""
        require_reader(actor, self.team, SETTINGS[name].reader)
        value = _value(self.features, name)
        return f"{value[:4]}{'*' * 16}" if name == "numbers_api_key" and value else value


def require_reader(actor: Actor, team: Team, reader: Role) -> None:
    if not actor.is_superadmin and not has_role(team.role, reader):
        raise Forbidden


def features_of(organization: Organization) -> dict[str, Any]:
    try:
        features = json.loads(organization.features or "{}")
    except ValueError:
        return {}
    return features if isinstance(features, dict) else {}


def _value(features: Mapping[str, Any], name: str) -> Any:
    """Whoever asks."""
    setting = SETTINGS[name]
    stored = features.get(setting.key, setting.default)
    if issubclass(setting.kind, StrEnum):
        return setting.kind.__members__.get(str(stored), setting.default)
    is_sound = type(stored) is setting.kind or (stored is None and name in _MAY_BE_UNSET)
    return stored if is_sound else setting.default


def default_approval(organization: Organization) -> RequestAutoApprove:
    """What happens to the requests of somebody who joins."""
    approval = _value(features_of(organization), "default_texter_approval_status")
    return RequestAutoApprove(approval)


async def edit_settings(
    session: AsyncSession, actor: Actor, *, organization_id: int, changes: Mapping[str, Any]
) -> Organization:
    """`changes`: by name; None sets back to the default, or unsets. All of them or none.

    Raises Forbidden, InvalidInput, NotFound.
    """
    changes = dict(changes)
    await require_role(session, actor, organization_id, Role.OWNER)
    credits_enabled = changes.pop(CREDITS_ENABLED, None)
    if any(SETTINGS[name].is_for_superadmins for name in changes):
        require_superadmin(actor)
    checked = {SETTINGS[name].key: _checked(name, value) for name, value in changes.items()}
    organization: Organization | None = await session.scalar(
        select(Organization)
        .where(Organization.id == organization_id)
        .with_for_update(key_share=True)
    )
    if organization is None:
        raise NotFound("There is no such organization.")
    if checked:
        organization.features = json.dumps(features_of(organization) | checked)
        await session.flush()
    if credits_enabled is not None:
        await set_credits_enabled(session, actor, team_id=organization_id, enabled=credits_enabled)
    return organization


def _checked(name: str, value: Any) -> Any:
    """As it is stored. Raises InvalidInput."""
    setting = SETTINGS[name]
    if setting.kind is str:
        value = checked_or_none(value, setting.key, longest=LONGEST)
    if value is None:
        return None if name in _MAY_BE_UNSET else _stored(setting.default)
    if name == "max_sms_segment_length" and not 1 <= value <= MOST_SEGMENTS:
        raise InvalidInput(f"maxSmsSegmentLength must be from 1 to {MOST_SEGMENTS}.")
    if name == "numbers_api_key" and "*" in value:
        raise InvalidInput("A Numbers API key has no asterisk: that is how a known one is shown.")
    if name == "trollbot_webhook_url":
        try:
            TypeAdapter(HttpUrl).validate_python(value)
        except ValidationError:
            raise InvalidInput("trollbotWebhookUrl must be the address of a web page.") from None
    return _stored(value)


def _stored(value: Any) -> Any:
    return value.name if isinstance(value, StrEnum) else value
