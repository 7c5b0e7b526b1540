"""Proof that the books are right: every account against its ledger and its purchases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.credits import LedgerCheck

LEASE = timedelta(minutes=15)
"""No check may take longer: a worker that is silent for so long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A team whose books disagree, and how. All figures are credits, counts apart."""

    team_id: int
    name: str
    balance: int
    entries_sum: int
    purchased: int
    purchases_sum: int
    broken_links: int

    def __str__(self) -> str:
        return (
            f"team {self.team_id} ({self.name}): balance {self.balance}, entries add up to "
            f"{self.entries_sum}; purchased {self.purchased}, purchases add up to "
            f"{self.purchases_sum}; {self.broken_links} broken links in the chain of balances"
        )


@dataclass(frozen=True, slots=True)
class Verification:
    teams: int
    entries: int
    drifts: Sequence[Drift]


async def verify_credits(session: AsyncSession) -> Verification:
    """Compares all teams in one snapshot. Reads every ledger entry once."""
    rows = (await session.execute(text(_STATEMENT))).all()
    entries = sum(row.entries for row in rows)
    drifts = [
        Drift(**{name: getattr(row, name) for name in Drift.__slots__})
        for row in rows
        if row.drifts
    ]
    return Verification(len(rows), entries, drifts)


async def claim_check(session: AsyncSession, *, every: timedelta) -> bool:
    """Whether a check is due that nobody is at: then it is the caller's."""
    claimed = await session.scalar(
        insert(LedgerCheck)
        .values(lease_until=func.now() + LEASE)
        .on_conflict_do_update(
            index_elements=["is_only"],
            set_={"lease_until": func.now() + LEASE},
            where=or_(LedgerCheck.checked_at.is_(None), LedgerCheck.checked_at < func.now() - every)
            & or_(LedgerCheck.lease_until.is_(None), LedgerCheck.lease_until < func.now()),
        )
        .returning(LedgerCheck.is_only)
    )
    return claimed is not None


async def record_check(session: AsyncSession, found: Verification) -> None:
    await session.execute(
        update(LedgerCheck).values(
            lease_until=None,
            checked_at=func.now(),
            entries=found.entries,
            drifting_teams=len(found.drifts),
        )
    )


_STATEMENT = """
with link as (
  select team_id, amount,
    balance_after - amount
      <> lag(balance_after, 1, 0::bigint) over (partition by team_id order by id) as broken
  from credit_entry
),
ledger as (
  select team_id, count(*) as entries, sum(amount)::bigint as total,
    count(*) filter (where broken) as broken_links
  from link group by team_id
),
purchase as (
  select team_id, sum(amount)::bigint as total from credit_purchase
  where removed_at is null group by team_id
),
account as (
  select o.id as team_id, o.name, coalesce(a.balance, 0) as balance,
    coalesce(l.total, 0) as entries_sum, coalesce(a.purchased, 0) as purchased,
    coalesce(p.total, 0) as purchases_sum, coalesce(l.broken_links, 0) as broken_links,
    coalesce(l.entries, 0) as entries
  from organization o
  left join credit_account a on a.team_id = o.id
  left join ledger l on l.team_id = o.id
  left join purchase p on p.team_id = o.id
)
select *, balance <> entries_sum or purchased <> purchases_sum or broken_links > 0
  as drifts
from account order by team_id
"""
