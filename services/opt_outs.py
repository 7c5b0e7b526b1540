"""Opting out: no more texts to this number, in any campaign of the team."""

from psycopg import AsyncConnection

from services.settings import Settings


async def record_opt_out(
    connection: AsyncConnection,
    settings: Settings,
    *,
    cell: str,
    team_id: int,
    assignment_id: int | None,
    reason: str,
) -> None:
    """In the caller's transaction. Who has opted out before stays so, for the reason of then."""
    wanted = {
        "cell": cell,
        "team": team_id,
        "assignment": assignment_id,
        "reason": reason,
        "share": settings.optouts_share_all_orgs,
    }
    await connection.execute(_OPT_OUT, wanted)
    await connection.execute(_MARK_CONTACTS, wanted)


_OPT_OUT = """
insert into opt_out (cell, organization_id, assignment_id, reason_code)
values (%(cell)s, %(team)s, %(assignment)s, %(reason)s)
on conflict (cell, organization_id) do nothing
"""

_MARK_CONTACTS = """
with marked as (
  select c.id from campaign_contact c join all_campaign on all_campaign.id = c.campaign_id
  where c.cell = %(cell)s and c.is_opted_out is not true
    and (%(share)s or all_campaign.organization_id = %(team)s)
  order by c.id
  for no key update of c
)
update campaign_contact set is_opted_out = true where id in (select id from marked)
"""
