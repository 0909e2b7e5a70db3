"""Which CLI waits for which run (see `standby` for one that does).

One for a run like the last one, and a few for the next ticks of schedules. They stay while other
runs go on, for an idle CLI takes no processor; but not while one of the same work folder does, nor
where memory is short.
"""

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
from gateway.jobs.surroundings import Surroundings, is_versioned
from sandboxes.policy import Limits

ATTENDED = (Trigger.MANUAL, Trigger.QUICK, Trigger.WEBHOOK)
"""Somebody waits for these and may want another one; a schedule's next tick is known."""
MAX_EXPECTED = 2
"""CLIs that wait for ticks; each takes 200 MiB."""
LATE_S = 60.0
"""So long after its tick a CLI still waits for a run that is held up in the queue."""


class Standbys:
    """All CLIs that wait."""

    def __init__(
        self,
        tasks: TaskGroup,
        places: Places,
        set_up: SetUp,
        clock: Clock,
        limits: Limits,
        kept_s: float,
        on_unused: Callable[[], None],
        around: Surroundings,
    ) -> None:
        """`tasks` outlives every run. `kept_s`: how long a CLI waits for another run; 0: none does.

        `on_unused` is called when one has waited in vain and its folders are free.
        """
        self._tasks = tasks
        self._places = places
        self._set_up = set_up
        self._clock = clock
        self._limits = limits
        self._kept_s = kept_s
        self._on_unused = on_unused
        self._around = around
        self._following: Standby | None = None
        """For a run like the last one."""
        self._expected: list[Standby] = []
        """For ticks."""
        self._known: dict[str, Standby] = {}
        """By the ids of their runs, until nothing is left of them."""

    @property
    def is_wanted(self) -> bool:
        """Tell whether any CLI is to wait."""
        return self._kept_s > 0

    def work_folders(self) -> set[str]:
        """Return the names of work folders in use by what waits."""
        return {self._places.folders(each.run).work.name for each in self._known.values()}

    def follow(self, run: Run) -> None:
        """Have a CLI wait for a run like this one, which has succeeded, while no other goes on."""
        if run.trigger not in ATTENDED or self._waits_for(run):
            return
        if self._following:
            self._drop(self._following)
        if self._may_begin(run):
            again = replace(run_again(run, self._clock.now_ms()), attempt=1)
            self._following = self._begin(again, self._kept_s)

    def expect(self, run: Run, due_ms: int) -> None:
        """Have a CLI wait for this run, which will be stored when it is due."""
        if len(self._expected) >= MAX_EXPECTED or self._waits_for(run, due_ms):
            return
        if self._may_begin(run):
            ahead_s = (due_ms - self._clock.now_ms()) / 1000
            self._expected.append(self._begin(replace(run, attempt=1), ahead_s + LATE_S))

    def named(self, run: Run) -> Run:
        """Return a run that is to be stored, under the id for which a CLI waits if it may fit."""
        waiting = self._waits_for(run)
        if waiting is None:
            return run
        waiting.is_named = True
        return replace(run, id=waiting.run.id)

    def unnamed(self, run_id: str) -> None:
        """Let another run have the CLI of one that was `named` but not stored."""
        if waiting := self._known.get(run_id):
            waiting.is_named = False

    def drop(self, run_id: str) -> None:
        """End, soon, the CLI of one that was `named`, of which nobody knows whether it is stored.

        No other run may get its id.
        """
        if waiting := self._known.get(run_id):
            self._drop(waiting)

    def make_way(self, run: Run) -> None:
        """End, soon, what would be in the way of a run that begins."""
        others = [waiting for waiting in self._waiting() if waiting.run.id != run.id]
        short = bool(others) and not self._around.has_room()
        for waiting in others:
            if short or _shares_folder(waiting.run, run):
                self._drop(waiting)

    def forget(self, owner: str) -> None:
        """End, soon, what waits for a run of a job or webhook that was changed or deleted."""
        for waiting in self._waiting():
            if owner_of(waiting.run) == owner:
                self._drop(waiting)

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
        self._no_more(waiting)
        try:
            place = await waiting.claim(setup) if run.attempt == waiting.run.attempt else None
            if place is None:
                # Its folders and tokens are those of the run.
                await waiting.end()
            yield place
        finally:
            with anyio.CancelScope(shield=True):
                await waiting.end()

    def _waiting(self) -> list[Standby]:
        """Return those that a run may still get."""
        return [*self._expected, *([self._following] if self._following else [])]

    def _waits_for(self, run: Run, until_ms: int = 0) -> Standby | None:
        """Return what waits for such a run, at least until then, and was not named for another."""
        asked = _asked(run)
        for each in self._waiting():
            if not each.is_named and each.until_ms >= until_ms and _asked(each.run) == asked:
                return each
        return None

    def _may_begin(self, run: Run) -> bool:
        if not self.is_wanted or not self._around.has_room():
            return False
        return not is_versioned(self._places.folders(run).work)

    def _begin(self, run: Run, kept_s: float) -> Standby:
        waiting = Standby(run, kept_s, self._clock.now_ms, self._around)
        self._known[run.id] = waiting
        self._tasks.start_soon(self._keep, waiting)
        return waiting

    def _drop(self, waiting: Standby) -> None:
        waiting.drop()
        self._no_more(waiting)

    def _no_more(self, waiting: Standby) -> None:
        """Give it to no run that is stored from now on."""
        if self._following is waiting:
            self._following = None
        if waiting in self._expected:
            self._expected.remove(waiting)

    async def _keep(self, waiting: Standby) -> None:
        try:
            await waiting.keep(self._places, self._set_up, self._limits)
        finally:
            del self._known[waiting.run.id]
            self._no_more(waiting)
            if not waiting.is_claimed:
                self._on_unused()


def _shares_folder(one: Run, other: Run) -> bool:
    """Tell whether what one does changes what the CLI of the other saw at its start."""
    return owner_of(one) is not None and owner_of(one) == owner_of(other)


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
