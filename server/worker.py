"""The worker: hands accepted texts to their providers, which text_worker.py does, and tells people
by mail what happened to their team's credits.

For the mail, four loops side by side: one warns of teams that run low; one turns what happened into
notices, each with a job; one runs the jobs; one finds what a dead worker left behind. Every job is
made in the transaction that wants it, so a QUEUED notice always has one. A fifth counts what
campaigns will need, and a sixth checks the books: see estimate_worker.py and ledger_worker.py. Any
number of workers may run.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import structlog
import uvloop
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from procrastinate.types import JSONDict
from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from models.database import Database, driver_connection, open_database
from server.databases import listening_url
from server.estimate_worker import make_estimates
from server.ledger_worker import check_ledger
from server.metrics import metrics_served
from server.text_worker import TextPace, text_worker
from services import clock
from services.credit_guard import MOST_SETTLED, settle_guarded
from services.mail import SECONDS_TO_ANSWER, compose, deliver, not_composed
from services.notices import (
    Delivery,
    Notice,
    NoticeState,
    claim_notice,
    find_stranded,
    record_delivery,
)
from services.occasions import make_notices
from services.running_low import teams_to_warn, warn_team
from services.settings import Settings
from services.usage_day import rebuild_usage

log = structlog.get_logger("worker")

QUEUE = "mail"
CONCURRENCY = 3
"""Mails in flight. Each holds a thread of the event loop's pool, which others need too."""
CONNECTIONS = 6
"""For jobs of the mail, and for texts."""
MOST_ATTEMPTS = 8
BACKOFF_FACTOR = 3


Work = Callable[[], Coroutine[Any, Any, bool | None]]
"""Some of it, after which there may be more to do at once."""


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds. The first retry doubles as the unit of the backoff: all eight attempts of a mail
    take three hours. `lock`: how long to wait for a team's account, behind its sends."""

    look: float = 1.0
    lock: float = 0.5
    after_trouble: float = 5.0
    find_stranded: float = 10.0
    settle_guarded: float = 600.0
    rebuild_usage: float = 600.0
    first_retry: float = 10.0
    answer: float = SECONDS_TO_ANSWER
    check_ledger: float = 30.0
    heartbeat: float = 10.0
    given_up_for_dead: float = 30.0
    stop: float = 10.0
    texts: TextPace = field(default_factory=TextPace)


def run_until_stopped(settings: Settings, url: str, secret: str) -> None:
    """Until SIGINT or SIGTERM."""
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(_run_until_terminated(settings, url, secret))


async def _run_until_terminated(settings: Settings, url: str, secret: str) -> None:
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with metrics_served(settings, url=url):
        await run_worker(settings, url, secret)


async def run_worker(
    settings: Settings, url: str, secret: str, *, pace: Pace | None = None
) -> None:
    """Until cancelled; then waits for the texts and mails in flight, but not for long.

    `secret`: signs the links in the mail; the servers'.
    """
    pace = pace or Pace()
    async with (
        open_database(
            url,
            pool_size=CONCURRENCY + 6,
            send_pool_size=CONNECTIONS,
            prepares=settings.database_prepare,
        ) as database,
        _Worker(database, settings, secret, pace).opened() as worker,
        text_worker(database.pool, settings, secret, pace.texts) as texts,
        asyncio.TaskGroup() as loops,
    ):
        log.info("worker_started")
        loops.create_task(texts.listen(listening_url(settings, url)))
        loops.create_task(_forever(worker.run_jobs, pace.look, pace))
        loops.create_task(_forever(worker.settle_guarded, pace.settle_guarded, pace))
        loops.create_task(_forever(worker.rebuild_usage, pace.rebuild_usage, pace))
        loops.create_task(_forever(worker.make_estimates, pace.look, pace))
        loops.create_task(_forever(worker.check_ledger, pace.check_ledger, pace))
        for work, pause in (
            (texts.find_abandoned, pace.texts.find_abandoned),
            (texts.look_up, pace.texts.look_up),
            (texts.recount, pace.texts.recount),
            (texts.forget_keys, pace.texts.forget_keys),
            (worker.warn_teams, pace.look),
            (worker.make_jobs, pace.look),
            (worker.help_stranded, pace.find_stranded),
        ):
            loops.create_task(_forever(_to_its_end(work, pace), pause, pace))


async def _forever(work: Work, pause: float, pace: Pace) -> None:
    """Trouble, such as a database that has gone away, is logged and waited out."""
    while True:
        try:
            while await work():
                pass
            await asyncio.sleep(pause)
        except Exception:
            log.exception("worker_trouble", work=getattr(work, "__name__", ""))
            await asyncio.sleep(max(pause, pace.after_trouble))


def _to_its_end(work: Work, pace: Pace) -> Work:
    """The same, but let finish when cancelled, if it does soon. Cut off in the middle of a
    statement, it would leave a connection in doubt, or the libraries lose the cancellation."""

    @wraps(work)
    async def finished() -> bool | None:
        task = asyncio.ensure_future(work())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            _, unfinished = await asyncio.wait([task], timeout=pace.stop)
            if unfinished:
                task.cancel()
                await asyncio.wait(unfinished, timeout=1)
            elif not task.cancelled() and (error := task.exception()):
                log.warning("worker_trouble", work=work.__name__, exc_info=error)
            raise

    return finished


class _Worker:
    def __init__(self, database: Database, settings: Settings, secret: str, pace: Pace) -> None:
        self._database = database
        self._settings = settings
        self._secret = secret
        self._pace = pace
        self._app = App(connector=PsycopgConnector())
        self._task = self._app.task(name="deliver_notice", queue=QUEUE)(self._deliver)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["_Worker"]:
        async with self._app.open_async(self._database.pool):
            yield self

    async def warn_teams(self) -> None:
        """One by one, so that one whose account somebody holds delays no other for long."""
        async with self._database.reads() as session:
            team_ids = await teams_to_warn(session, self._settings)
        for team_id in team_ids:
            try:
                await self._warn(team_id)
            except OperationalError as error:
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                log.info("account_busy", team_id=team_id)  # its turn comes at the next look

    async def _warn(self, team_id: int) -> None:
        async with self._locking() as session:
            # Waiting its turn, since the account of a busy team is always locked by some send.
            wait = f"{round(self._pace.lock * 1000)}ms"
            await session.execute(text(f"set local lock_timeout = '{wait}'"))
            await warn_team(session, self._settings, team_id)

    @asynccontextmanager
    async def _locking(self) -> AsyncIterator[AsyncSession]:
        """A transaction for whose locks senders may wait: should this process freeze, then not for
        long."""
        async with self._database.sessions.begin() as session:
            await session.execute(text("set local idle_in_transaction_session_timeout = '5s'"))
            yield session

    async def make_jobs(self) -> None:
        async with self._locking() as session:
            await self._defer(session, await make_notices(session, self._settings))

    async def run_jobs(self) -> None:
        """Asks for jobs instead of listening for them, which poolers don't allow."""
        running = asyncio.create_task(
            self._app.run_worker_async(
                queues=[QUEUE],
                concurrency=CONCURRENCY,
                listen_notify=False,
                delete_jobs="always",
                install_signal_handlers=False,
                fetch_job_polling_interval=self._pace.look,
                update_heartbeat_interval=self._pace.heartbeat,
                stalled_worker_timeout=self._pace.given_up_for_dead,
                shutdown_graceful_timeout=self._pace.stop,
            )
        )
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            # The first is lost if it comes while it signs in to the database. A second one would
            # cut off the mail in flight, so it has to wait until there can be none.
            while not running.done():
                running.cancel()
                await asyncio.wait([running], timeout=self._pace.stop + 1)
            raise

    async def help_stranded(self) -> None:
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(
            queue=QUEUE, seconds_since_heartbeat=self._pace.given_up_for_dead
        ):
            with contextlib.suppress(ConnectorException):  # another worker was faster
                await manager.finish_job(job, Status.FAILED, delete_job=True)
        async with self._database.sessions.begin() as session:
            stranded = await find_stranded(session)
            await self._defer(session, stranded.queued)
        for notice_id in stranded.unknown:
            log.warning("mail_outcome_unknown", notice_id=notice_id)

    async def settle_guarded(self) -> bool:
        """Whether there may be more."""
        async with self._locking() as session:
            return await settle_guarded(session) == MOST_SETTLED

    async def rebuild_usage(self) -> None:
        """Counts the texts of Spoke's own workers."""
        async with self._database.sessions.begin() as session:
            await rebuild_usage(session, with_ours=False)

    async def make_estimates(self) -> None:
        await make_estimates(self._database, self._settings)

    async def check_ledger(self) -> None:
        await check_ledger(self._database, self._settings)

    async def _deliver(self, notice_id: int) -> None:
        """One attempt. Claimed and committed before anything leaves this machine."""
        async with self._database.sessions.begin() as session:
            notice = await claim_notice(session, self._settings, notice_id)
        if notice is None:
            return
        delivery = await self._attempt(notice)
        await self._record(notice, _given_up_in_time(notice, delivery))

    async def _attempt(self, notice: Notice) -> Delivery:
        try:
            mail = compose(self._settings, self._secret, notice)
        except Exception as error:
            return not_composed(notice.id, error)
        return await deliver(self._settings, mail, timeout_seconds=self._pace.answer)

    async def _record(self, notice: Notice, delivery: Delivery) -> None:
        """However long the database takes: it is the only one who doesn't know yet."""
        while True:
            try:
                async with self._database.sessions.begin() as session:
                    is_new = await record_delivery(session, notice, delivery)
                    if is_new and delivery.state is NoticeState.QUEUED:
                        retry_at = _retry_at(notice, delivery, self._pace)
                        await self._defer(session, [notice.id], retry_at)
                break
            except (OperationalError, InterfaceError, PoolTimeout, ConnectorException):
                log.exception("worker_trouble", work="record", notice_id=notice.id)
                await asyncio.sleep(self._pace.look)
        _log_delivery(notice, delivery)

    async def _defer(
        self, session: AsyncSession, notice_ids: Sequence[int], at: datetime | None = None
    ) -> None:
        """Makes a job for each, in the session's transaction."""
        if not notice_ids:
            return
        connection = await driver_connection(session)
        jobs = self._task.configure(connection=connection, schedule_at=at)
        arguments: list[JSONDict] = [{"notice_id": notice_id} for notice_id in notice_ids]
        await jobs.batch_defer_async(*arguments)


def _given_up_in_time(notice: Notice, delivery: Delivery) -> Delivery:
    if delivery.state is NoticeState.QUEUED and notice.attempts >= MOST_ATTEMPTS:
        return replace(delivery, state=NoticeState.FAILED)
    return delivery


def _retry_at(notice: Notice, delivery: Delivery, pace: Pace) -> datetime:
    backoff = pace.first_retry * BACKOFF_FACTOR ** (notice.attempts - 1)
    earliest = clock.now() + timedelta(seconds=backoff)
    return max(earliest, delivery.retry_at or earliest)


def _log_delivery(notice: Notice, delivery: Delivery) -> None:
    log.log(
        _LEVELS.get(delivery.state, logging.WARNING),
        "mail",
        state=delivery.state,
        notice_id=notice.id,
        occasion=notice.occasion,
        address=notice.address,
        attempts=notice.attempts,
        error=delivery.error,
    )


_LEVELS = {NoticeState.SENT: logging.INFO, NoticeState.FAILED: logging.ERROR}
