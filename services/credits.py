"""Credits: adding, removing, turning on and off, and when to warn. Every change of a balance has
its ledger entry.

Sends are debited elsewhere, by the send statement; both lock the account first.
"""

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.credits import (
    CreditAccount,
    CreditEntry,
    CreditExhaustion,
    CreditPurchase,
    CreditSwitch,
)
from models.organizations import Organization
from services.access import Actor, Role, require_role, require_superadmin
from services.bell import notify_teams
from services.errors import InvalidInput, NotFound, PurchaseAlreadyRemoved
from services.running_low import arm_thresholds, bought_until_now
from services.settings import Settings
from services.texts import checked_or_none, idempotency_key

LONGEST_NOTE = 1000


async def add_credits(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    team_id: int,
    amount: int,
    note: str | None = None,
    key: str | None = None,
) -> CreditPurchase:
    """Books `amount` credits, once per key: a repeat returns the first purchase.

    Closes the team's exhaustion if anything remains then, and arms the thresholds that it is above
    again. Raises Forbidden, InvalidInput, NotFound.
    """
    require_superadmin(actor)
    if not 1 <= amount <= settings.credits_max_per_purchase:
        raise InvalidInput(
            f"The amount must be a whole number from 1 to {settings.credits_max_per_purchase:,}."
        )
    note = checked_or_none(note, "The note", longest=LONGEST_NOTE)
    key = idempotency_key(key)
    await require_team(session, team_id)
    purchase: CreditPurchase | None = await session.scalar(
        insert(CreditPurchase)
        .values(
            team_id=team_id,
            amount=amount,
            note=note,
            purchased_by=actor.user_id,
            purchased_by_name=actor.name,
            idempotency_key=key,
        )
        .on_conflict_do_nothing(index_elements=["idempotency_key"])
        .returning(CreditPurchase)
    )
    if purchase is None:
        return await _purchase_of_key(session, key, team_id, amount)
    account = await _lock_account(session, team_id)
    had_run_out = account.balance <= 0
    bought = bought_until_now(settings, account)
    account.purchased += amount
    await _enter(session, account, "PURCHASE", amount, purchase.id, actor)
    # Credits given back may be left of a team that had run out.
    if account.balance > 0 and await _close_exhaustion(session, team_id):
        had_run_out = True
    account.bought_since_empty = amount + (0 if had_run_out else bought)
    await session.flush()
    await arm_thresholds(session, settings, team_id, anew=had_run_out)
    await notify_teams(session, team_id)
    return purchase


async def _purchase_of_key(
    session: AsyncSession, key: str | None, team_id: int, amount: int
) -> CreditPurchase:
    purchase = await session.scalar(
        select(CreditPurchase).where(CreditPurchase.idempotency_key == key)
    )
    if purchase is None or (purchase.team_id, purchase.amount) != (team_id, amount):
        raise InvalidInput("This idempotency key was used for another team or amount.")
    return purchase


async def remove_credit_purchase(
    session: AsyncSession, actor: Actor, *, purchase_id: int
) -> CreditPurchase:
    """Takes the purchase's amount away again, even below zero.

    Raises Forbidden, NotFound, PurchaseAlreadyRemoved.
    """
    require_superadmin(actor)
    team_id = await session.scalar(
        select(CreditPurchase.team_id).where(CreditPurchase.id == purchase_id)
    )
    if team_id is None:
        raise NotFound("There is no such credit purchase.")
    account = await _lock_account(session, team_id)
    purchase: CreditPurchase | None = await session.scalar(
        update(CreditPurchase)
        .where(CreditPurchase.id == purchase_id, CreditPurchase.removed_at.is_(None))
        .values(removed_at=func.now(), removed_by=actor.user_id, removed_by_name=actor.name)
        .returning(CreditPurchase)
    )
    if purchase is None:
        raise PurchaseAlreadyRemoved
    account.purchased -= purchase.amount
    account.bought_since_empty = max(0, account.bought_since_empty - purchase.amount)
    await _enter(session, account, "REMOVAL", -purchase.amount, purchase.id, actor)
    await notify_teams(session, team_id)
    return purchase


async def set_credits_enabled(
    session: AsyncSession, actor: Actor, *, team_id: int, enabled: bool
) -> None:
    """Takes effect at once. The switch is remembered with what remained, for the set-up mail."""
    await require_role(session, actor, team_id, Role.OWNER)
    await require_team(session, team_id)
    account = await _lock_account(session, team_id)
    if account.enabled == enabled:
        return
    account.enabled = enabled
    session.add(
        CreditSwitch(
            team_id=team_id,
            enabled=enabled,
            remaining=account.balance,
            switched_by=actor.user_id,
        )
    )
    if not enabled:
        await _close_exhaustion(session, team_id)
    await notify_teams(session, team_id)


async def set_low_credits_threshold(
    session: AsyncSession, settings: Settings, actor: Actor, *, team_id: int, credits: int | None
) -> None:
    """A number of the team's own at which to warn; None for none. Changing it brings no mail.

    Raises Forbidden, InvalidInput, NotFound.
    """
    require_superadmin(actor)
    if credits is not None and credits < 1:
        raise InvalidInput("The threshold must be a whole number of at least 1.")
    await require_team(session, team_id)
    account = await _lock_account(session, team_id)
    account.low_credits = credits
    await session.flush()
    await arm_thresholds(session, settings, team_id, anew=True)


async def set_running_low_mail(
    session: AsyncSession, actor: Actor, *, team_id: int, enabled: bool
) -> None:
    """Whether anybody gets mail when the team is running low. Raises Forbidden, NotFound."""
    await require_role(session, actor, team_id, Role.OWNER)
    await require_team(session, team_id)
    account = await _lock_account(session, team_id)
    account.low_mail = enabled


async def require_team(session: AsyncSession, team_id: int) -> None:
    if await session.scalar(select(Organization.id).where(Organization.id == team_id)) is None:
        raise NotFound("There is no such team.")


async def _lock_account(session: AsyncSession, team_id: int) -> CreditAccount:
    """The account, made if need be: locking a row that isn't there would lock nothing."""
    await session.execute(insert(CreditAccount).values(team_id=team_id).on_conflict_do_nothing())
    account = await session.scalar(
        select(CreditAccount)
        .where(CreditAccount.team_id == team_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert account is not None
    return account


async def _enter(
    session: AsyncSession,
    account: CreditAccount,
    kind: str,
    amount: int,
    purchase_id: int,
    actor: Actor,
) -> None:
    """Moves the balance of a locked account, with the entry that explains it.

    The entry's time is later than the lock, as now() isn't: running_low.py compares it.
    """
    account.balance += amount
    session.add(
        CreditEntry(
            team_id=account.team_id,
            kind=kind,
            amount=amount,
            balance_after=account.balance,
            purchase_id=purchase_id,
            actor_id=actor.user_id,
            created_at=func.clock_timestamp(),
        )
    )
    await session.flush()


async def _close_exhaustion(session: AsyncSession, team_id: int) -> bool:
    """Whether one was open."""
    closed = await session.scalar(
        update(CreditExhaustion)
        .where(CreditExhaustion.team_id == team_id, CreditExhaustion.closed_at.is_(None))
        .values(closed_at=func.now())
        .returning(CreditExhaustion.id)
    )
    return closed is not None
