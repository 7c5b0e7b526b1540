"""Domains by which a team's texts link, and which take turns, so that carriers block none.

With ENABLE_SHORTLINK_DOMAINS. Whichever of a team's domains a text has, it goes out with the one
whose turn it is: the one that has rested longest, for max_usage_count texts.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from psycopg import AsyncConnection

# What services/send_facts.py asks beside the rest, for a contact of `campaign`.
COLUMN = """
array(
  select own.domain from link_domain own
  where own.organization_id = campaign.organization_id and own.domain <> ''
)
"""


def has_link(text: str, domains: Sequence[str]) -> bool:
    return _links(tuple(domains)).search(text) is not None


def with_domain(text: str, domains: Sequence[str], domain: str) -> str:
    """With `domain` in the place of each of `domains` by which the text links."""
    return _links(tuple(domains)).sub(lambda _: domain, text)


@lru_cache(maxsize=1000)
def _links(domains: tuple[str, ...]) -> re.Pattern[str]:
    """Whole hosts, after a scheme or where a word begins: what is part of another's name, path or
    address is another's."""
    hosts = "|".join(map(re.escape, domains))
    return re.compile(
        rf"""(?:(?<=://)|(?<![^\s(\["'“‘]))(?:{hosts})(?![\w@-]|\.\w)""", re.IGNORECASE
    )


async def next_domains(connection: AsyncConnection, team_ids: Sequence[int]) -> list[str | None]:
    """For each of these teams, which may repeat, the domain of its next text; None: it has none
    that is healthy.

    Nobody is waited for: where others hold all domains for this moment, the best is taken without
    being counted. In one round trip.
    """
    found = []
    async with connection.cursor() as cursor:
        await cursor.executemany(_NEXT, [[team_id] * 2 for team_id in team_ids], returning=True)
        for _ in team_ids:
            row = await cursor.fetchone()
            assert row is not None
            found.append(row[0])
            cursor.nextset()
    return found


# Of several that are through at once the time tells which was the first, so it must go on.
_HEALTHY = """
from link_domain
where organization_id = %s and not is_manually_disabled and domain <> ''
  and not exists (select from unhealthy_link_domain bad where bad.domain = link_domain.domain)
order by cycled_out_at, current_usage_count, id limit 1
"""
_NEXT = f"""
with taken as (
  update link_domain set
    current_usage_count = (current_usage_count + 1) %% greatest(max_usage_count, 1),
    cycled_out_at = case
      when (current_usage_count + 1) %% greatest(max_usage_count, 1) = 0 then clock_timestamp()
      else cycled_out_at end
  where id = (select id {_HEALTHY} for update skip locked)
  returning domain
)
select coalesce((select domain from taken), (select domain {_HEALTHY}))
"""
