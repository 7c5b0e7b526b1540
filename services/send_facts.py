"""What the rules of sending need to know about a contact, its campaign, its team and the sender."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from psycopg import AsyncConnection

from services import link_domains, messaging_services
from services.settings import DefaultService, Settings


class Question(NamedTuple):
    """May this person text this contact? And was this key of theirs accepted before?"""

    contact_id: int
    user_id: int
    idempotency_key: str | None


class ContactFacts(NamedTuple):
    """A contact that exists, in a campaign that can be texted.

    `assigned_user_id` is None while nobody has the contact; `role` is None for people outside the
    team; `monthly_*` are None unless monthly limits are enabled and known. `service`: its
    provider's name, None if there is none. `sticks`: the cell is to keep this messaging service.
    `link_domains`: the team's, None unless they are enabled.
    """

    contact_id: int
    campaign_id: int
    team_id: int
    cell: str
    message_status: str
    contact_timezone: str | None
    contact_assignment_id: int | None
    assigned_user_id: int | None
    campaign_timezone: str | None
    texting_hours_start: int
    texting_hours_end: int
    role: str | None
    is_opted_out: bool
    monthly_limit: int | None
    monthly_sent: int | None
    credits_enabled: bool
    balance: int
    exhaustion_open: bool
    link_domains: list[str] | None = None
    service: str | None = DefaultService.FAKESERVICE
    messaging_service_sid: str | None = None
    sticks: bool = False


class Facts(NamedTuple):
    """`remembered`: the fingerprint of the send that was accepted with the key of the question."""

    contact: ContactFacts | None
    remembered: bytes | None


async def read_facts(
    connection: AsyncConnection, questions: Sequence[Question], settings: Settings
) -> list[Facts]:
    """The facts for each question, in the same order."""
    cursor = await connection.execute(
        _statement(
            settings.optouts_share_all_orgs,
            settings.enable_monthly_org_message_limits,
            settings.enable_shortlink_domains,
            settings.default_service is not DefaultService.FAKESERVICE,
        ),
        {
            "contact_ids": [q.contact_id for q in questions],
            "user_ids": [q.user_id for q in questions],
            "keys": [q.idempotency_key for q in questions],
        },
        prepare=True,
    )
    return [
        Facts(
            contact=ContactFacts(*row[1:]) if row[1] is not None else None,
            remembered=row[0],
        )
        for row in await cursor.fetchall()
    ]


@cache
def _statement(share: bool, limits: bool, links: bool, services: bool) -> str:
    """`share`: an opt-out counts for all teams; `limits`: teams have monthly limits; `links`: they
    have link domains; `services`: texts go out by messaging services. Not as parameters, or
    PostgreSQL would hope for a better plan for their values, and plan each time."""
    return _STATEMENT.format(
        share=str(share).lower(),
        limits=str(limits).lower(),
        link_domains=link_domains.COLUMN if links else "null",
        service_columns=f", {messaging_services.COLUMNS}" if services else "",
        service_joins=messaging_services.JOINS if services else "",
    )


# As sub-queries, the arrays hide how long they are, for the same reason: planning takes a
# millisecond.
# The columns after the first are the fields of ContactFacts, in order.
_STATEMENT = """
select
  remembered.fingerprint,
  c.id, campaign.id, campaign.organization_id, c.cell,
  c.message_status, c.timezone, c.assignment_id, assignment.user_id,
  campaign.timezone, coalesce(campaign.texting_hours_start, 9),
  coalesce(campaign.texting_hours_end, 21), member.role,
  c.is_opted_out is true or exists (
    select from opt_out o
    where o.cell = c.cell and ({share} or o.organization_id = campaign.organization_id)
  ),
  case when {limits} then organization.monthly_message_limit end,
  case when {limits} then (
    select u.sent_message_count from monthly_organization_message_usages u
    where u.organization_id = campaign.organization_id
      and u.month = date_trunc('month', now() at time zone 'UTC')::date
  ) end,
  coalesce(account.enabled, false), coalesce(account.balance, 0),
  -- By the index for each row: an `exists` may be planned as a hash of all that are open.
  (
    select true from credit_exhaustion e
    where e.team_id = campaign.organization_id and e.closed_at is null
  ) is not null,
  {link_domains}
  {service_columns}
from unnest(
  (select %(contact_ids)s::int[]), (select %(user_ids)s::int[]), (select %(keys)s::text[])
)
  with ordinality as question (contact_id, user_id, idempotency_key, arrival)
left join (
  campaign_contact c join campaign on campaign.id = c.campaign_id
    and campaign.is_archived is not true
) on c.id = question.contact_id and c.archived is not true
left join organization on organization.id = campaign.organization_id
left join user_organization member
  on member.organization_id = campaign.organization_id and member.user_id = question.user_id
left join assignment on assignment.id = c.assignment_id
left join credit_account account on account.team_id = campaign.organization_id
left join outbound_text remembered
  on remembered.user_id = question.user_id
  and remembered.idempotency_key = question.idempotency_key
{service_joins}
order by arrival
"""
