"""Random histories of a team's credits, each step compared with a model of what was decided.

The model knows nothing of the database: a handful of numbers and the rules of the product. Every
run has a team of its own, all of them in one database.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models.database import Database, open_database
from services.credits import remove_credit_purchase
from services.delivery_reports import apply_reports
from services.errors import InsufficientCredits, InvalidInput, PurchaseAlreadyRemoved
from services.providers import DeliveryStatus, Report
from services.send_statement import write_sends
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.verification import verify_credits
from tests.world import (
    SETTINGS,
    Books,
    Team,
    add,
    books,
    figures,
    make_send,
    make_team,
    of_cost,
    switch,
    value,
)

RUNS = 60
STEPS = 15
MOST_ROUNDS = 10
EXPECTED = {
    "add",
    "add_again",
    "remove",
    "remove_again",
    "text",
    "text_again",
    "text_beyond_the_balance",
    "confirm_opt_out",
    "report",
    "report_again",
    "switch",
    "settled upwards",
    "settled downwards",
    "given back",
    "given back after it was settled",
    "reported without a debit",
    "refused for good",
    "refused as too long",
    "below zero",
    "turned off while exhausted",
}
"""Steps, and things worth meeting: there are rounds of RUNS until each has happened."""

T = TypeVar("T")
amounts = st.integers(1, 5)
costs = st.integers(1, 3)
choices = st.integers(0, 1000)


@dataclass
class SentText:
    """A text that was accepted. `debit`: None while credits were off."""

    message_id: int
    debit: int | None
    is_counted: bool = False
    is_reported: bool = False
    is_over: bool = False
    is_given_back: bool = False


@dataclass
class Model:
    """What the product decided, in plain Python."""

    enabled: bool = False
    balance: int = 0
    purchased: int = 0
    spent: int = 0
    texts: int = 0
    metered: int = 0
    exhaustions: int = 0
    exhaustion: tuple[str, int, int | None] | None = None

    def add(self, amount: int) -> None:
        self.balance += amount
        self.purchased += amount
        if self.balance > 0:
            self.exhaustion = None

    def remove(self, amount: int) -> None:
        self.balance -= amount
        self.purchased -= amount

    def switch(self, enabled: bool) -> None:
        self.enabled = enabled
        if not enabled:
            self.exhaustion = None

    def text(self, cost: int, *, forced: bool = False) -> bool:
        """Whether the text is accepted."""
        if self.enabled and not forced and cost > self.balance:
            self._exhaust("SHORT" if self.balance > 0 else "EXHAUSTED", cost)
            return False
        self.texts += 1
        if self.enabled:
            self.metered += 1
            self.spent += cost
            self.balance -= cost
            if self.balance <= 0:
                self._exhaust("EXHAUSTED", None)
        return True

    def count(self, text: SentText, segments: int) -> int:
        """The provider says how many segments it was. Returns what is settled."""
        if text.is_counted or text.is_given_back:
            return 0
        text.is_counted = True
        if text.debit is None:
            return 0
        settled = text.debit - segments
        text.debit = segments
        self._move(settled)
        return settled

    def fail(self, text: SentText) -> int:
        """No carrier took it. Returns what is given back."""
        if text.is_over:
            return 0
        text.is_over = text.is_given_back = True
        given_back, text.debit = text.debit or 0, None
        self._move(given_back)
        return given_back

    def _move(self, amount: int) -> None:
        self.spent -= amount
        self.balance += amount
        if self.enabled and amount < 0 and self.balance <= 0:
            self._exhaust("EXHAUSTED", None)

    def _exhaust(self, reason: str, required: int | None) -> None:
        if self.exhaustion is None:
            self.exhaustions += 1
            self.exhaustion = reason, self.balance, required

    def books(self) -> Books:
        reason, remaining, required = self.exhaustion or (None, None, None)
        return Books(
            enabled=self.enabled,
            balance=self.balance,
            purchased=self.purchased,
            spent=self.spent,
            texts=self.texts,
            metered=self.metered,
            exhaustions=self.exhaustions,
            reason=reason,
            remaining=remaining,
            required=required,
        )


@dataclass
class Workshop:
    """What all runs share: an event loop, a database, and a tally of what happened."""

    runner: asyncio.Runner
    database: Database
    writer: SendWriter
    runs: int = 0
    happened: Counter[str] = field(default_factory=Counter)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


@dataclass
class Purchase:
    id: int
    amount: int
    key: str | None = None
    is_removed: bool = False


class CreditHistory(RuleBasedStateMachine):
    def __init__(self, workshop: Workshop) -> None:
        super().__init__()
        self.workshop = workshop
        self.model = Model()
        self.purchases: list[Purchase] = []
        self.keyed_texts: list[tuple[str, int]] = []
        self.sent: list[SentText] = []
        self.team: Team = workshop.run(make_team(workshop.database))

    def happened(self, what: str) -> None:
        self.workshop.happened[what] += 1

    @initialize(amount=st.integers(0, 5), enabled=st.booleans())
    def begin(self, amount: int, enabled: bool) -> None:
        if amount:
            self.add(amount, is_keyed=False)
        if enabled:
            self.switch(enabled=True)

    @rule(amount=amounts, is_keyed=st.booleans())
    def add(self, amount: int, is_keyed: bool) -> None:
        self.happened("add")
        key = f"{self.team.id}-{len(self.purchases)}" if is_keyed else None
        purchase_id = self.workshop.run(add(self.workshop.database, self.team, amount, key=key))
        assert purchase_id not in {purchase.id for purchase in self.purchases}
        self.purchases.append(Purchase(purchase_id, amount, key))
        self.model.add(amount)

    @precondition(lambda self: any(purchase.key for purchase in self.purchases))
    @rule(choice=choices, is_changed=st.booleans())
    def add_again(self, choice: int, is_changed: bool) -> None:
        self.happened("add_again")
        keyed = [purchase for purchase in self.purchases if purchase.key]
        purchase = keyed[choice % len(keyed)]
        again = add(
            self.workshop.database, self.team, purchase.amount + is_changed, key=purchase.key
        )
        if is_changed:
            with pytest.raises(InvalidInput):
                self.workshop.run(again)
        else:
            assert self.workshop.run(again) == purchase.id

    @precondition(lambda self: any(not purchase.is_removed for purchase in self.purchases))
    @rule(choice=choices)
    def remove(self, choice: int) -> None:
        self.happened("remove")
        kept = [purchase for purchase in self.purchases if not purchase.is_removed]
        purchase = kept[choice % len(kept)]
        self.workshop.run(self._remove(purchase))
        purchase.is_removed = True
        self.model.remove(purchase.amount)

    @precondition(lambda self: any(purchase.is_removed for purchase in self.purchases))
    @rule(choice=choices)
    def remove_again(self, choice: int) -> None:
        self.happened("remove_again")
        removed = [purchase for purchase in self.purchases if purchase.is_removed]
        with pytest.raises(PurchaseAlreadyRemoved):
            self.workshop.run(self._remove(removed[choice % len(removed)]))

    async def _remove(self, purchase: Purchase) -> None:
        async with self.workshop.database.sessions() as session, session.begin():
            await remove_credit_purchase(session, self.team.superadmin, purchase_id=purchase.id)

    @rule(cost=costs, is_keyed=st.sampled_from([True, True, False]))
    def text(self, cost: int, is_keyed: bool) -> None:
        self.happened("text")
        key = f"{self.team.id}-{self.model.texts}" if is_keyed else None
        if self.model.text(cost):
            assert self._text(cost, key) == self.team.contact_ids[0]
            self._accepted(cost)
            if key:
                self.keyed_texts.append((key, cost))
        else:
            self._refused(cost, key)

    @precondition(lambda self: self.keyed_texts)
    @rule(choice=choices, is_changed=st.booleans())
    def text_again(self, choice: int, is_changed: bool) -> None:
        self.happened("text_again")
        key, cost = self.keyed_texts[choice % len(self.keyed_texts)]
        if is_changed:
            with pytest.raises(InvalidInput):
                self._text(cost + 1, key)
        else:
            assert self._text(cost, key) == self.team.contact_ids[0]

    @precondition(lambda self: self.model.enabled)
    @rule(more=costs)
    def text_beyond_the_balance(self, more: int) -> None:
        self.happened("text_beyond_the_balance")
        cost = max(self.model.balance, 0) + more
        if cost > 10:  # longer than a text may be
            return
        assert not self.model.text(cost)
        self._refused(cost, None)

    def _text(self, cost: int, key: str | None) -> int:
        texter, writer = self.team.texter, self.workshop.writer
        draft = make_draft(
            texter,
            contact_id=self.team.contact_ids[0],
            assignment_id=self.team.assignment_id,
            text=of_cost(cost),
            key=key,
        )
        return self.workshop.run(send_message(writer, SETTINGS, texter, draft))

    def _accepted(self, cost: int) -> None:
        newest = value(
            self.workshop.database,
            "select max(message_id) from outbound_text where team_id = %(team)s",
            team=self.team.id,
        )
        self.sent.append(SentText(self.workshop.run(newest), cost if self.model.enabled else None))

    def _refused(self, cost: int, key: str | None) -> None:
        with pytest.raises(InsufficientCredits) as caught:
            self._text(cost, key)
        assert caught.value.extensions["requiredCredits"] == cost
        self.happened("refused for good" if self.model.balance <= 0 else "refused as too long")

    @rule(cost=costs)
    def confirm_opt_out(self, cost: int) -> None:
        self.happened("confirm_opt_out")
        self.workshop.run(self._confirm(cost))
        assert self.model.text(cost, forced=True)
        self._accepted(cost)

    async def _confirm(self, cost: int) -> None:
        async with self.workshop.database.pool.connection() as connection:
            [written] = await write_sends(
                connection, [make_send(self.team, cost=cost, forced=True)]
            )
        assert written.outcome == "ACCEPTED"

    @precondition(lambda self: any(not text.is_counted for text in self.sent))
    @rule(segments=st.sampled_from([1, 2, 4]), is_repeated=st.booleans())
    def count(self, segments: int, is_repeated: bool) -> None:
        text = [text for text in self.sent if not text.is_counted][-1]
        self._reported(text, DeliveryStatus.SENT, segments, 1 + is_repeated)

    @precondition(lambda self: self.model.enabled and self.model.balance > 0)
    @precondition(lambda self: any(text.debit and not text.is_counted for text in self.sent))
    @rule(more=st.integers(0, 1))
    def count_all_that_is_left(self, more: int) -> None:
        text = [text for text in self.sent if text.debit and not text.is_counted][-1]
        segments = (text.debit or 0) + self.model.balance + more
        self._reported(text, DeliveryStatus.SENT, segments, 1)

    @precondition(lambda self: any(text.is_counted and text.debit for text in self.sent))
    @rule()
    def fail_counted(self) -> None:
        text = [text for text in self.sent if text.is_counted and text.debit][-1]
        self._reported(text, DeliveryStatus.FAILED, None, 1)

    @precondition(lambda self: self.sent)
    @rule(
        choice=choices,
        status=st.sampled_from(DeliveryStatus),
        segments=st.one_of(st.none(), st.integers(0, 4)),
        times=st.integers(1, 3),
    )
    def report(self, choice: int, status: DeliveryStatus, segments: int | None, times: int) -> None:
        self._reported(self.sent[choice % len(self.sent)], status, segments, times)

    def _reported(
        self, text: SentText, status: DeliveryStatus, segments: int | None, times: int
    ) -> None:
        self.happened("report" if times == 1 else "report_again")
        report = Report(text.message_id, status, f"SM{text.message_id}", segments)
        self.workshop.run(self._report([report] * times))
        is_counted, balance = text.is_counted, self.model.balance
        if text.debit is None:
            self.happened("reported without a debit")
        was_attempted = status is DeliveryStatus.NOT_ATTEMPTED and text.is_reported
        text.is_reported = True
        if was_attempted:
            return
        if status in (DeliveryStatus.FAILED, DeliveryStatus.NOT_ATTEMPTED):
            if self.model.fail(text):
                self.happened("given back")
                if is_counted:
                    self.happened("given back after it was settled")
            return
        settled = self.model.count(text, segments) if segments else 0
        text.is_over |= status is not DeliveryStatus.SENT
        if settled:
            self.happened("settled upwards" if settled < 0 else "settled downwards")
        if settled < 0 and balance > 0 >= self.model.balance:
            self.happened("settled into an exhaustion")

    async def _report(self, reports: list[Report]) -> None:
        async with self.workshop.database.pool.connection() as connection:
            await apply_reports(connection, reports)

    @rule(enabled=st.sampled_from([True, True, False]))
    def switch(self, enabled: bool) -> None:
        self.happened("switch")
        if self.model.enabled and not enabled and self.model.exhaustion:
            self.happened("turned off while exhausted")
        self.workshop.run(switch(self.workshop.database, self.team, enabled=enabled))
        self.model.switch(enabled)

    @invariant()
    def figures_agree(self) -> None:
        found = self.workshop.run(figures(self.workshop.database, self.team.id))
        assert found == self.model.books()
        if found.balance < 0:
            self.happened("below zero")

    def teardown(self) -> None:
        """Nothing is ever taken back from the ledger: what was wrong once still is."""
        self.workshop.run(books(self.workshop.database, self.team.id, everybodys=False))
        self.workshop.runs += 1


async def verify(database: Database) -> None:
    async with database.sessions() as session:
        verification = await verify_credits(session)
    assert verification.teams >= RUNS and verification.drifts == []


@pytest.fixture
def workshop(database_url: str) -> Iterator[Workshop]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        database = runner.run(stack.enter_async_context(open_database(database_url)))
        try:
            yield Workshop(runner, database, SendWriter(database.pool, SETTINGS))
        finally:
            runner.run(stack.aclose())


@pytest.mark.long
def test_every_history_ends_in_the_books_that_were_decided(workshop: Workshop) -> None:
    for _ in range(MOST_ROUNDS):
        run_state_machine_as_test(
            partial(CreditHistory, workshop),  # type: ignore[arg-type]  # any callable will do
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                # A failing history is short enough to read; looking for a shorter one takes long.
                phases=[Phase.reuse, Phase.generate],
                suppress_health_check=[HealthCheck.too_slow],
                print_blob=True,
            ),
        )
        if workshop.happened.keys() >= EXPECTED:
            break
    assert workshop.runs >= RUNS
    workshop.run(verify(workshop.database))
    assert workshop.happened.keys() >= EXPECTED, workshop.happened
