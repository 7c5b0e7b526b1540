"""Live credits: who watches a team is told when it changes, whichever process changed it.

One look serves all who watch in this process. It reads the teams that may have changed in one
statement, finds out for whom the difference matters, asks anew what these may see, and only then
tells them. Looks come at once after a stroke of the bell, but not more often than every quarter of
a second; besides, everything watched is read and everybody's rights are asked every few seconds:
strokes can be lost, and Spoke changes roles and ends sessions without telling us.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from models.listening import ANYTHING, listen
from services.access import Actor, require_superadmin, roles_in_teams, sees_credits
from services.bell import TEAMS, teams_of
from services.errors import NotAuthenticated, ServiceError
from services.sessions import SignIn, actors_of_sign_ins
from services.settings import Settings
from services.teams import Team, TeamNow, require_visible, teams_now

log = structlog.get_logger(__name__)

SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_BETWEEN_FIGURES = 1.0
"""While only figures change. A change of status is told at once."""
SECONDS_UNTIL_ALL = 3.0
"""After so long everything watched is read and everybody's rights are asked."""
SECONDS_AFTER_TROUBLE = 1.0
MOST_TEAMS = 1000
"""In one event; the others come with the next."""
TOLD_AT_ONCE = 20
"""Of those who are told the same: then others have their turn."""

Changes = Mapping[int, tuple[TeamNow | None, TeamNow]]
"""By team, as it was (None: unknown) and as it is."""


class Event(NamedTuple):
    """What somebody is told, as the person they are now: a team, or several."""

    actor: Actor
    told: Team | list[Team] | None


class _Watcher:
    """Somebody who watches a team, or all teams: then `team_id` is None.

    However slowly they take up what they are told, it waits for them once: the teams of which they
    don't know yet, each as it is when they take it.
    """

    def __init__(self, sign_in: SignIn, team_id: int | None) -> None:
        self.sign_in = sign_in
        self.team_id = team_id
        self.sees_figures = False
        self.can_take = asyncio.Event()
        self._changed: set[int] = set() if team_id is None else {team_id}
        self._is_urgent = True
        self._told_at = 0.0
        self._actor: Actor | None = None
        self._role: str | None = None
        self._error: ServiceError | None = None

    @property
    def has_news(self) -> bool:
        return bool(self._changed)

    @property
    def due_at(self) -> float:
        """By the clock of the event loop, if there is news."""
        return 0.0 if self._is_urgent else self._told_at + SECONDS_BETWEEN_FIGURES

    def note(self, team_id: int, *, is_urgent: bool) -> None:
        self._changed.add(team_id)
        self._is_urgent |= is_urgent

    def admit(
        self, actor: Actor | None, role: str | None, team: TeamNow | None, settings: Settings
    ) -> bool:
        """Ends it for those who may not watch, or no longer. Whether they see other fields now."""
        try:
            self._actor, self._role = _require_may_watch(actor, self.team_id, role, team), role
        except ServiceError as error:
            self._error = error
            self.can_take.set()
            return False
        saw_figures = self.sees_figures
        self.sees_figures = sees_credits(self._actor, role, settings.credits_visible_to)
        return self.sees_figures != saw_figures

    def tell(self, now: float) -> None:
        self._is_urgent = False
        self._told_at = now
        self.can_take.set()

    def take(self, teams: Mapping[int, TeamNow]) -> Event:
        """Raises what ended it."""
        self.can_take.clear()
        if self._error:
            raise self._error
        assert self._actor is not None
        taken = list(self._changed)[:MOST_TEAMS]
        self._changed -= set(taken)
        seen = [teams[i].seen_with(self._role) for i in taken if i in teams]
        return Event(self._actor, seen if self.team_id is None else next(iter(seen), None))


def _require_may_watch(
    actor: Actor | None, team_id: int | None, role: str | None, team: TeamNow | None
) -> Actor:
    """Raises NotAuthenticated, Forbidden, NotFound."""
    if actor is None:
        raise NotAuthenticated
    if team_id is None:
        require_superadmin(actor)
    else:
        require_visible(actor, team.seen_with(role) if team else None)
    return actor


class Live:
    """One for each process. It listens and looks only while somebody watches."""

    def __init__(
        self, pool: AsyncConnectionPool[AsyncConnection], settings: Settings, url: str
    ) -> None:
        """`url`: where to listen."""
        self._pool = pool
        self._settings = settings
        self._url = url
        self._new: set[_Watcher] = set()
        self._watchers: dict[int | None, set[_Watcher]] = {}
        """By what they watch, without the new ones: of them nothing is known."""
        self._waiting: set[_Watcher] = set()
        """Those for whom there is news."""
        self._teams: dict[int, TeamNow] = {}
        self._rung: set[int] = set()
        self._wake = asyncio.Event()
        self._all_due_at = 0.0
        self._running: set[asyncio.Task[None]] = set()

    async def watch(
        self, sign_in: SignIn | None, *, team_id: int | None
    ) -> AsyncGenerator[Event, None]:
        """First the team as it is, then as it is after each change that matters to who watches: to
        those who don't see its figures, that of its status.

        `team_id` None means all teams: first none of them, then those that have changed.

        Raises NotAuthenticated, Forbidden, NotFound, at first or whenever it comes to that. While
        the database can't be reached, there is nothing to tell.
        """
        if sign_in is None:
            raise NotAuthenticated
        watcher = _Watcher(sign_in, team_id)
        self._join(watcher)
        try:
            while True:
                await watcher.can_take.wait()
                event = watcher.take(self._teams)
                if not watcher.has_news:
                    self._waiting.discard(watcher)
                yield event
        finally:
            self._leave(watcher)

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _join(self, watcher: _Watcher) -> None:
        if not self._new and not self._watchers:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        self._new.add(watcher)
        self._wake.set()

    def _leave(self, watcher: _Watcher) -> None:
        self._new.discard(watcher)
        self._waiting.discard(watcher)
        others = self._watchers.get(watcher.team_id, set())
        others.discard(watcher)
        if not others:
            self._watchers.pop(watcher.team_id, None)
        if not self._new and not self._watchers:
            for task in self._running:
                task.cancel()
            self._teams = {}
            self._all_due_at = 0.0

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._look_on())

    async def _listen(self) -> None:
        """Trouble is logged and waited out: nobody who watches must be left alone with it."""
        while True:
            try:
                async with listen(self._url, [TEAMS]) as heard:
                    async for told in heard:
                        if told == ANYTHING:
                            self._all_due_at = 0.0
                        self._rung |= teams_of(told.payload)
                        self._wake.set()
            except Exception:
                log.exception("live_trouble")
            await asyncio.sleep(SECONDS_AFTER_TROUBLE)

    async def _look_on(self) -> None:
        """Trouble, such as a database that has gone away, is logged and waited out."""
        while True:
            self._wake.clear()
            try:
                due_at = await self._look()
            except Exception:
                log.exception("live_trouble")
                due_at = self._all_due_at = 0.0
                await asyncio.sleep(SECONDS_AFTER_TROUBLE)
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due_at):
                    await self._wake.wait()

    async def _look(self) -> float:
        """Returns when the next look is due even if the bell is silent."""
        loop = asyncio.get_running_loop()
        is_for_all = loop.time() >= self._all_due_at
        if is_for_all:
            self._all_due_at = loop.time() + SECONDS_UNTIL_ALL
        new = set(self._new)
        async with self._pool.connection() as connection:
            self._note(await self._read(connection, new, is_for_all))
            self._receive(new & self._new)
            due = [watcher for watcher in self._waiting if watcher.due_at <= loop.time()]
            everybody = chain.from_iterable(self._watchers.values())
            await self._ask(connection, list(everybody) if is_for_all else due)
        for number, watcher in enumerate(due, start=1):
            watcher.tell(loop.time())
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)
        return min([self._all_due_at, *(watcher.due_at for watcher in self._waiting)])

    async def _read(
        self, connection: AsyncConnection, new: Collection[_Watcher], is_for_all: bool
    ) -> Changes:
        """Reads what is rung for, or watched by new ones, or all that is watched."""
        rung, self._rung = self._rung, set()
        wanted = {watcher.team_id for watcher in new}
        wanted |= rung if None in self._watchers else rung & self._watchers.keys()
        if is_for_all:
            wanted |= self._watchers.keys()
        if not wanted:
            return {}
        ids = None if None in wanted else [team_id for team_id in wanted if team_id is not None]
        found = {team.id: team for team in await teams_now(connection, ids)}
        known = self._teams
        kept = {} if ids is None else {i: team for i, team in known.items() if i not in wanted}
        self._teams = kept | found
        return {i: (known.get(i), team) for i, team in found.items() if known.get(i) != team}

    def _note(self, changes: Changes) -> None:
        """For those to whom it matters."""
        for team_id, (before, after) in changes.items():
            is_urgent = before is None or before.credit_status != after.credit_status
            watchers = chain(self._watchers.get(team_id, ()), self._watchers.get(None, ()))
            for watcher in watchers:
                if is_urgent or watcher.sees_figures:
                    watcher.note(team_id, is_urgent=is_urgent)
                    self._waiting.add(watcher)

    def _receive(self, new: set[_Watcher]) -> None:
        """Now that it is known what they watch."""
        self._new -= new
        self._waiting |= new
        for watcher in new:
            self._watchers.setdefault(watcher.team_id, set()).add(watcher)

    async def _ask(self, connection: AsyncConnection, watchers: Sequence[_Watcher]) -> None:
        """Who they are now, and what they may see."""
        if not watchers:
            return
        actors = await actors_of_sign_ins(connection, [watcher.sign_in for watcher in watchers])
        roles = await roles_in_teams(
            connection,
            [actor.user_id if actor else 0 for actor in actors],
            [watcher.team_id or 0 for watcher in watchers],
        )
        for watcher, actor, role in zip(watchers, actors, roles, strict=True):
            team = self._teams.get(watcher.team_id or 0)
            sees_others = watcher.admit(actor, role, team, self._settings)
            if sees_others and watcher.team_id is not None:
                watcher.note(watcher.team_id, is_urgent=True)
                self._waiting.add(watcher)
