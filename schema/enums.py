"""The vocabulary of choices. Values are declared by the services; here they get descriptions."""

from enum import Enum

import strawberry

from services.notices import NoticeState as CreditNoticeState
from services.occasions import Occasion as CreditNoticeOccasion
from services.organization_settings import (
    AutosendingControlsMode,
    CampaignBuilderMode,
    RequestAutoApprove,
)
from services.segments import Encoding as SegmentEncoding
from services.teams import CreditStatus, TeamOrder
from services.usage import UsageBy

__all__ = [
    "AutosendingControlsMode",
    "CampaignBuilderMode",
    "CreditNoticeOccasion",
    "CreditNoticeState",
    "CreditStatus",
    "Encoding",
    "RequestAutoApprove",
    "TeamOrder",
    "UsageBy",
    "UserRole",
]

strawberry.enum(
    CreditStatus,
    description="Whether a team can send. SHORT and EXHAUSTED teams are blocked: pink in lists. "
    "DISABLED: credits are off, no limit. AVAILABLE: something remains. SHORT: something remains, "
    "but a text was refused because it cost more. EXHAUSTED: nothing remains, nothing can be sent.",
)
strawberry.enum(
    CreditNoticeOccasion,
    name="CreditNoticeOccasion",
    description="What a mail is about. EXHAUSTED: nothing remains, or less than a text needed. "
    "RUNNING_LOW: the team came down to one of its thresholds. SET_UP: credits were turned on with "
    "nothing left.",
)
strawberry.enum(
    CreditNoticeState,
    name="CreditNoticeState",
    description="What became of a mail. QUEUED: to be sent, or sent again. SENDING: in hand. SENT: "
    "the mail provider took it. FAILED: given up or refused. UNKNOWN: may have been sent, and will "
    "not be sent again. OBSOLETE: overtaken by events before it was sent. As the mail provider "
    "reported: DELIVERED: the other side's mail server took it. BOUNCED: it came back. DROPPED: "
    "not tried, as earlier mail to this address failed.",
)
strawberry.enum(
    TeamOrder,
    description="Order of a list of teams; ties by id. LAST_PURCHASE is the newest purchase that "
    "was not removed.",
)


strawberry.enum(
    UsageBy,
    description="What a row of usage is about. DAY and MONTH: every one of the period, also those "
    "without texts; periods of at most 366 days, or 3653 by MONTH. CAMPAIGN: those with texts, the "
    "most segments first.",
)


@strawberry.enum(description="How the characters of a text are sent.")
class Encoding(Enum):
    GSM_7 = strawberry.enum_value(
        SegmentEncoding.GSM_7, description="160 characters in a segment, 153 in each of several."
    )
    UCS_2 = strawberry.enum_value(
        SegmentEncoding.UCS_2, description="70 characters in a segment, 67 in each of several."
    )


@strawberry.enum(description="What a person may do in an organization, in ascending order.")
class UserRole(Enum):
    SUSPENDED = "SUSPENDED"
    TEXTER = "TEXTER"
    SUPERVOLUNTEER = "SUPERVOLUNTEER"
    ADMIN = "ADMIN"
    OWNER = "OWNER"
    SUPERADMIN = "SUPERADMIN"


strawberry.enum(RequestAutoApprove, description="What happens to a texter's requests for texts.")
strawberry.enum(CampaignBuilderMode, description="How much of a campaign can be set up.")
strawberry.enum(
    AutosendingControlsMode, description="How much of Spoke's autosending can be controlled."
)
