"""The part of the worker that hands accepted texts to their providers.

Texts are claimed, handed over outside of any transaction, and what the provider says is recorded,
for many at once. A worker that vanishes leaves its texts to the others as UNKNOWN.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from models.listening import listen
from server.circuit_breaker import CircuitBreaker
from server.rate_limit import RateLimit
from services import clock
from services.bell import TEXTS, Bell
from services.delivery_reports import Applied
from services.errors import ServiceUnavailable
from services.fakeservice import FakeService
from services.outbound_texts import (
    LEASE,
    LOOK_UP_AFTER,
    Claimed,
    claim_for_look_up,
    claim_texts,
    forget_keys,
    mark_abandoned,
    mark_unknown,
    put_all_back,
    put_back,
)
from services.providers import (
    DeliveryStatus,
    LookUpFailed,
    NotSent,
    OutcomeUnclear,
    OutgoingText,
    Provider,
    Report,
)
from services.recounts import Account, claim_account, finish_account, news_of, note_segments
from services.report_writer import ReportWriter
from services.settings import DefaultService, Settings
from services.shared_statements import UNAVAILABLE
from services.twilio import open_twilio

log = structlog.get_logger("text_worker")

MOST_IN_HAND = 128
"""Texts handed over at the same time."""
MOST_UNRECORDED = 1024
"""Texts whose outcome waits to be recorded. With more, no others are taken in hand."""
MOST_LOOKED_UP = 20
GATHER_SECONDS = 0.005
"""Between two claims: what comes meanwhile shares the next one."""
SECONDS_TO_BE_IN_TIME = 1.0
"""Before a text whose lease was about to end is taken in hand again."""
LONGEST_BACKOFF_SECONDS = 300.0

SECONDS_UNTIL_RELEASED = 10.0
"""Before a text of a team whose account somebody holds is taken in hand again."""

Outcome = Report | NotSent | OutcomeUnclear
Trouble = (ServiceUnavailable, *UNAVAILABLE, PoolTimeout, PoolClosed)


@dataclass(frozen=True, slots=True)
class TextPace:
    """In seconds, but for the first two. `hand_over`: what an attempt may take; a text whose lease
    ends sooner is put back."""

    lease: timedelta = LEASE
    look_up_after: timedelta = LOOK_UP_AFTER
    look: float = 1.0
    after_trouble: float = 5.0
    find_abandoned: float = 5.0
    look_up: float = 10.0
    recount: float = 30.0
    forget_keys: float = 3600.0
    hand_over: float = 15.0
    stop: float = 12.0


class TextWorker:
    """`wake` may be called when texts were accepted; without it they are found at each `look`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], pace: TextPace) -> None:
        self._pool = pool
        self._pace = pace
        self._providers: Mapping[str, Provider] = {}
        self._limits: Mapping[str, RateLimit] = {}
        self._breaker = CircuitBreaker()
        self._reports = ReportWriter(pool)
        self._bell = Bell(pool)
        self._woken = asyncio.Event()
        self._opt_outs_are_shared = False
        self._is_stopping = False
        self._in_hand: set[asyncio.Task[None]] = set()
        self._unrecorded = 0
        self._recording: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self, settings: Settings, secret: str) -> AsyncIterator[None]:
        async with open_providers(settings, secret, self._report) as self._providers:
            self._limits = _limits(self._providers)
            self._opt_outs_are_shared = settings.optouts_share_all_orgs
            sending = asyncio.create_task(self._send_texts())
            try:
                yield
            finally:
                self._is_stopping = True
                self.wake()
                await sending
                await _finished(self._in_hand, within=self._pace.stop)
        await _finished(self._recording, within=self._pace.stop)
        await self._bell.drain()

    def wake(self) -> None:
        self._woken.set()

    async def listen(self, url: str) -> None:
        """`url`: not of a pooler, which listens for nobody."""
        async with listen(url, [TEXTS]) as told:
            async for _ in told:
                self.wake()

    def _report(self, report: Report) -> None:
        """What a provider says by itself."""
        _start(self._recording, self._record(report))

    async def _send_texts(self) -> None:
        while not self._is_stopping:
            self._woken.clear()
            try:
                asked = time.monotonic()
                claimed = await self._claim()
            except Exception:
                log.exception("worker_trouble", work="claim")
                claimed = []
            for text in self._without_paused(claimed):
                _start(self._in_hand, self._handle(text, asked), done=self.wake)
            if not claimed and not self._is_stopping:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._pace.look)
            await asyncio.sleep(GATHER_SECONDS)

    async def _claim(self) -> list[Claimed]:
        handed_over = len(self._in_hand) - self._unrecorded
        free = min(MOST_IN_HAND - handed_over, MOST_UNRECORDED - self._unrecorded)
        if free <= 0:
            return []
        async with self._pool.connection() as connection:
            return await claim_texts(
                connection,
                most=free,
                lease=self._pace.lease,
                opt_outs_are_shared=self._opt_outs_are_shared,
            )

    def _without_paused(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Those of paused services go back together, before they take anything from others."""
        rest = []
        paused: dict[float, dict[int, int]] = defaultdict(dict)
        for text in claimed:
            wait = self._seconds_to_wait(text.outgoing) if text.may_go_out else 0.0
            if wait:
                paused[round(wait, 1)][text.message_id] = text.fence
            else:
                rest.append(text)
        for wait, fences in paused.items():
            _start(self._in_hand, self._put_all_back(fences, wait), done=self.wake)
        return rest

    def _seconds_to_wait(self, text: OutgoingText) -> float:
        return self._breaker.seconds_to_wait(_service_of(text), text.message_id)

    async def _handle(self, claimed: Claimed, asked: float) -> None:
        """`asked`: for it, before which its lease can't have begun."""
        if not claimed.may_go_out:
            with self._knowing_the_outcome():
                await self._give_up(claimed)
            return
        text = claimed.outgoing
        lasts = self._pace.lease.total_seconds() - self._pace.hand_over
        outcome = await self._hand_over(text, asked + lasts)
        with self._knowing_the_outcome():
            await self._finish(text, outcome)

    @contextmanager
    def _knowing_the_outcome(self) -> Iterator[None]:
        """Makes room for another text: somebody may hold the account of this one for long."""
        if len(self._in_hand) - self._unrecorded >= MOST_IN_HAND:
            self.wake()
        self._unrecorded += 1
        try:
            yield
        finally:
            self._unrecorded -= 1

    async def _give_up(self, claimed: Claimed) -> None:
        """What can't be recorded now waits in the queue: nobody was handed it."""
        if await self._recorded(_not_attempted(claimed)) is None:
            await self._put_all_back({claimed.message_id: claimed.fence}, SECONDS_UNTIL_RELEASED)

    async def _hand_over(self, text: OutgoingText, until: float) -> Outcome:
        provider = self._providers.get(text.provider)
        if provider is None:
            return NotSent(f"There is no provider {text.provider}.", LONGEST_BACKOFF_SECONDS)
        limit = self._limits.get(text.provider)
        has_turn = limit is None or await limit.turn(lambda: self._may_wait(text))
        if pause := self._seconds_to_wait(text):
            return NotSent(f"{_service_of(text)} is paused.", pause)
        if not has_turn:
            return NotSent("The worker stops.", retry_after_seconds=0)
        if time.monotonic() >= until:
            return NotSent("The lease would end too soon.", SECONDS_TO_BE_IN_TIME)
        outcome = await provider.send(text)
        self._watch(text, outcome)
        return outcome

    def _may_wait(self, text: OutgoingText) -> bool:
        return not self._is_stopping and not self._seconds_to_wait(text)

    def _watch(self, text: OutgoingText, outcome: Outcome) -> None:
        """Pauses services that fail."""
        service = _service_of(text)
        if isinstance(outcome, Report):
            self._breaker.succeeded(service)
            return
        known = None
        if isinstance(outcome, NotSent) and outcome.pauses_service:
            known = outcome.retry_after_seconds
        pause = self._breaker.failed(service, text.message_id, pause_seconds=known)
        if pause is not None:
            log.warning("service_paused", service=service, seconds=pause, reason=outcome.reason)

    async def _finish(self, text: OutgoingText, outcome: Outcome) -> None:
        match outcome:
            case Report():
                await self._record(outcome)
            case NotSent():
                log.warning("text_not_sent", message_id=text.message_id, reason=outcome.reason)
                await self._put_all_back({text.message_id: text.fence}, _backoff(text, outcome))
            case OutcomeUnclear():
                log.warning("text_unknown", message_id=text.message_id, reason=outcome.reason)
                await self._until_written(
                    text.message_id,
                    lambda c: mark_unknown(
                        c, text.message_id, fence=text.fence, reason=outcome.reason
                    ),
                )

    async def _record(self, report: Report) -> None:
        """However long the database takes: nobody else knows it yet."""
        while True:
            if await self._recorded(report) is not None:
                return
            await asyncio.sleep(self._pace.look)

    async def _recorded(self, report: Report) -> Applied | None:
        """One attempt; None where the database didn't take it."""
        try:
            applied = await self._reports.write(report)
        except Trouble as error:
            log.warning("text_not_recorded", message_id=report.message_id, error=repr(error))
            return None
        if applied.moved_team_id is not None:
            self._bell.ring([applied.moved_team_id])
        return applied

    async def _put_all_back(self, fences: Mapping[int, int], wait_seconds: float) -> None:
        """`fences`: by the message."""
        wait = timedelta(seconds=wait_seconds)
        await self._until_written(
            next(iter(fences)), lambda connection: put_all_back(connection, fences, wait=wait)
        )

    async def _until_written(
        self, message_id: int, write: Callable[[AsyncConnection], Coroutine[Any, Any, None]]
    ) -> None:
        while True:
            try:
                async with self._pool.connection() as connection:
                    await write(connection)
                return
            except Trouble as error:
                log.warning("text_not_recorded", message_id=message_id, error=repr(error))
                await asyncio.sleep(self._pace.look)

    async def find_abandoned(self) -> None:
        async with self._pool.connection() as connection:
            for message_id in await mark_abandoned(connection):
                log.warning("text_unknown", message_id=message_id, reason="abandoned")

    async def forget_keys(self) -> None:
        async with self._pool.connection() as connection:
            while await forget_keys(connection):
                pass

    async def look_up(self) -> bool:
        """Whether there may be more to look up."""
        async with self._pool.connection() as connection:
            due = await claim_for_look_up(
                connection,
                most=MOST_LOOKED_UP,
                after=self._pace.look_up_after,
                opt_outs_are_shared=self._opt_outs_are_shared,
            )
        by_cell: dict[str | None, list[Claimed]] = defaultdict(list)
        for claimed in due:
            by_cell[claimed.cell].append(claimed)
        await asyncio.gather(*(self._look_up_in_turn(texts) for texts in by_cell.values()))
        return len(due) == MOST_LOOKED_UP

    async def _look_up_in_turn(self, texts: Sequence[Claimed]) -> None:
        """Those to one cell: of several that say the same the earliest takes what left first."""
        for claimed in texts:
            await self._look_up(claimed)

    async def _look_up(self, claimed: Claimed) -> None:
        try:
            found = await self._found(claimed)
        except LookUpFailed as error:
            log.warning("look_up_failed", message_id=claimed.message_id, reason=str(error))
            return
        is_found = await self._is_taken_over(found)
        log.info("looked_up", message_id=claimed.message_id, found=is_found)
        if is_found:
            return
        if not claimed.may_go_out:
            await self._recorded(_not_attempted(claimed))
        else:
            await self._until_written(
                claimed.message_id,
                lambda c: put_back(c, claimed.message_id, fence=claimed.fence),
            )

    async def recount(self) -> bool:
        """Settles what the providers themselves list for an account. Whether there was one."""
        if "twilio" not in self._providers:
            return False
        async with self._pool.connection() as connection:
            account = await claim_account(connection)
        if account is None:
            return False
        try:
            await self._recount(account)
        except Exception:  # the others still want to be counted
            log.exception("worker_trouble", work="recount", account_sid=account.account_sid)
        return True

    async def _recount(self, account: Account) -> None:
        started = clock.now()
        is_complete = True
        provider = self._providers["twilio"]
        try:
            async for listed in provider.sent_since(account.service, account.since):
                async with self._pool.connection() as connection:
                    news = await news_of(connection, listed)
                    await note_segments(connection, listed)
                applied = await asyncio.gather(*map(self._recorded, news))
                is_complete &= None not in applied
        except LookUpFailed as error:
            log.warning("recount_failed", account_sid=account.account_sid, reason=str(error))
            return
        if not is_complete:
            return  # it is counted again from where it was, once its lease has ended
        async with self._pool.connection() as connection:
            await finish_account(connection, account, until=started)

    async def _found(self, claimed: Claimed) -> Sequence[Report]:
        """What the provider has that may be this text. Raises LookUpFailed."""
        if claimed.text is None:
            return []
        text = claimed.outgoing
        provider = self._providers.get(text.provider)
        if provider is None:
            raise LookUpFailed(f"There is no provider {text.provider}.")
        return await provider.look_up(text, claimed.handed_at)

    async def _is_taken_over(self, found: Sequence[Report]) -> bool:
        """The earliest that is no other text's is this one. What the database doesn't take now is
        looked up again."""
        for report in found:
            applied = await self._recorded(report)
            if applied is None or not applied.is_anothers:
                return True
        return False


def _start(
    tasks: set[asyncio.Task[None]],
    work: Coroutine[Any, Any, Any],
    done: Callable[[], None] | None = None,
) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)

    def finished(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("worker_trouble", work="text", exc_info=error)
        if done:
            done()

    task.add_done_callback(finished)


def _not_attempted(claimed: Claimed) -> Report:
    return Report(claimed.message_id, DeliveryStatus.NOT_ATTEMPTED, fence=claimed.fence)


def _service_of(text: OutgoingText) -> str:
    """What may be paused."""
    return text.service.sid if text.service else text.provider


def _backoff(text: OutgoingText, outcome: NotSent) -> float:
    if outcome.retry_after_seconds is not None:
        return outcome.retry_after_seconds
    return min(2.0 ** min(text.fence, 20), LONGEST_BACKOFF_SECONDS)


async def _finished(tasks: set[asyncio.Task[None]], *, within: float) -> None:
    """Those that go on for longer are left to their fate, and their texts to other workers."""
    if tasks:
        await asyncio.wait(tasks, timeout=within)
    for task in tasks:
        task.cancel()


def _limits(providers: Mapping[str, Provider]) -> dict[str, RateLimit]:
    return {
        name: RateLimit(provider.texts_per_second)
        for name, provider in providers.items()
        if provider.texts_per_second is not None
    }


@asynccontextmanager
async def text_worker(
    pool: AsyncConnectionPool[AsyncConnection], settings: Settings, secret: str, pace: TextPace
) -> AsyncIterator[TextWorker]:
    """At the end it takes no more texts, and waits for those in hand, but not for long."""
    worker = TextWorker(pool, pace)
    async with worker.running(settings, secret):
        yield worker


@asynccontextmanager
async def open_providers(
    settings: Settings, secret: str, report: Callable[[Report], None]
) -> AsyncIterator[Mapping[str, Provider]]:
    """By the name that a message has as its service. `report` is told what they say later.

    Twilio is there only where texts are to be sent out: nothing may leave from a copy of a database
    that is tried out, whatever it holds.
    """
    fakeservice = FakeService(settings, report)
    async with AsyncExitStack() as stack:
        stack.callback(fakeservice.close)
        providers: dict[str, Provider] = {"fakeservice": fakeservice}
        if settings.default_service is DefaultService.TWILIO:
            providers["twilio"] = await stack.enter_async_context(open_twilio(settings, secret))
        yield providers
