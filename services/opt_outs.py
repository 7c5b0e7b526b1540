"""Opting out: no more texts to this number, in any campaign of the team."""

from collections.abc import Sequence
from typing import NamedTuple

from psycopg import AsyncConnection

from services.settings import Settings


class OptOut(NamedTuple):
    """What clients are shown of one."""

    id: int
    cell: str


async def opt_outs_of_contacts(
    connection: AsyncConnection, contact_ids: Sequence[int], *, are_shared: bool
) -> list[OptOut | None]:
    """For each contact the opt-out that stops texts to it, if any.

    `are_shared`: whether an opt-out from one team stops those of all."""
    wanted = {"ids": list(contact_ids), "share": are_shared}
    cursor = await connection.execute(_OF_CONTACTS, wanted, prepare=True)
    found = {contact_id: OptOut(*rest) for contact_id, *rest in await cursor.fetchall()}
    return [found.get(contact_id) for contact_id in contact_ids]


# The sub-queries: see services/send_facts.py. "Limit" keeps it to the index of opt_out.cell.
_OF_CONTACTS = """
select c.id, opt_out.id, opt_out.cell
from campaign_contact c
join all_campaign on all_campaign.id = c.campaign_id
cross join lateral (
  select o.id, o.cell from opt_out o
  where o.cell = c.cell and ((select %(share)s) or o.organization_id = all_campaign.organization_id)
  order by o.id limit 1
) opt_out
where c.id = any((select %(ids)s::int[])::int[])
"""


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
