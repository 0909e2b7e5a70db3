"""Which CLI waits for which run (see `standby` for one that does)."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from gateway.domain.run import Run, Trigger, run_again
from gateway.jobs.clock import Clock
from gateway.jobs.places import Place, Places
from gateway.jobs.setup import Setup, owner_of
from gateway.jobs.standby import SetUp, Standby
from gateway.jobs.surroundings import has_room, is_versioned, today
from sandboxes.policy import Limits

ATTENDED = (Trigger.MANUAL, Trigger.QUICK, Trigger.WEBHOOK)
"""Somebody waits for these and may want another one; the next tick of a schedule is far away."""


class Standbys:
    """The one CLI that may wait."""

    def __init__(
        self,
        tasks: TaskGroup,
        places: Places,
        set_up: SetUp,
        clock: Clock,
        limits: Limits,
        kept_s: float,
        on_unused: Callable[[], None],
    ) -> None:
        """`tasks` outlives every run. `kept_s`: how long a CLI waits; 0: none does.

        `on_unused` is called when one has waited in vain and its folders are free.
        """
        self._tasks = tasks
        self._places = places
        self._set_up = set_up
        self._clock = clock
        self._limits = limits
        self._kept_s = kept_s
        self._on_unused = on_unused
        self._waiting: Standby | None = None
        self._known: dict[str, Standby] = {}
        """By the ids of their runs, until nothing is left of them."""

    def work_folders(self) -> set[str]:
        """Return the names of work folders in use by what waits."""
        return {self._places.folders(each.run).work.name for each in self._known.values()}

    def follow(self, run: Run) -> None:
        """Have a CLI wait for a run like this one, which has succeeded, while no other goes on."""
        if not _may_come_again(run) or self._waiting or not self._kept_s or not has_room():
            return
        if is_versioned(self._places.folders(run).work):
            return
        following = replace(run_again(run, self._clock.now_ms()), attempt=1)
        self._waiting = self._known[following.id] = Standby(
            following, today(), self._kept_s, self._clock.now_ms
        )
        self._tasks.start_soon(self._keep, self._waiting)

    def named(self, run: Run) -> Run:
        """Return a run that is to be stored, under the id for which a CLI waits if it may fit."""
        waiting = self._waiting
        if waiting is None or waiting.is_named or _asked(waiting.run) != _asked(run):
            return run
        waiting.is_named = True
        return replace(run, id=waiting.run.id)

    def make_way(self, run_id: str) -> None:
        """End, soon, what waits for another run than the one that begins."""
        if self._waiting and self._waiting.run.id != run_id:
            self._waiting.drop()
            self._waiting = None

    def forget(self, owner: str) -> None:
        """End, soon, what waits for a run of a job or webhook that was deleted."""
        if self._waiting and owner_of(self._waiting.run) == owner:
            self._waiting.drop()
            self._waiting = None

    async def end(self, run_id: str) -> None:
        """Return when nothing is left of what waits for a run that does not come."""
        if waiting := self._known.get(run_id):
            await waiting.end()

    @asynccontextmanager
    async def place(self, run: Run, setup: Setup) -> AsyncGenerator[Place | None]:
        """Give the place of a CLI that has waited for this run; None: there is none."""
        waiting = self._known.get(run.id)
        if waiting is None:
            yield None
            return
        if self._waiting is waiting:
            self._waiting = None
        try:
            place = await waiting.claim(setup) if run.attempt == waiting.run.attempt else None
            if place is None:
                # Its folders and tokens are those of the run.
                await waiting.end()
            yield place
        finally:
            with anyio.CancelScope(shield=True):
                await waiting.end()

    async def _keep(self, waiting: Standby) -> None:
        try:
            await waiting.keep(self._places, self._set_up, self._limits)
        finally:
            del self._known[waiting.run.id]
            if self._waiting is waiting:
                self._waiting = None
            if not waiting.is_claimed:
                self._on_unused()


def _may_come_again(run: Run) -> bool:
    # Deliveries of webhooks get their ids where they are written down, many at a time.
    owned = run.job_id is not None or run.trigger is Trigger.QUICK
    return owned and run.trigger in ATTENDED


def _asked(run: Run) -> tuple[object, ...]:
    """Return what of a run decides its setup, but for what is found out when it starts."""
    return (
        owner_of(run),
        run.trigger is Trigger.QUICK,
        run.trigger is Trigger.WEBHOOK,
        run.tools,
        run.servers,
        run.model,
        run.system_prompt,
        run.max_turns,
        run.timeout_s,
        run.budget_micro_usd,
        run.network,
        run.output_schema,
    )
