"""A CLI that has started already and waits for a run like the last one, or for one soon due.

It waits under the id that this run will have, in the place that this run will have, so that nothing
has to change hands: folders, tokens, sandbox and the way to the gateway are the run's own from the
beginning. It is given to a run of that id whose setup is equal in everything (`setup`), and else
ended before anything is started for the run. It has seen no prompt, and its requests to the model
wait like those of every run until the run is seen to have its tools.

For a bounded time, and not where memory is short.
"""

import logging
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
from claude_agent_sdk import ClaudeSDKError

from gateway.domain.run import Run
from gateway.jobs.appetite import until_too_much
from gateway.jobs.errors import RunRefused
from gateway.jobs.folders import remove_unused
from gateway.jobs.leftovers import note_group
from gateway.jobs.places import Place, Places
from gateway.jobs.process import is_alive
from gateway.jobs.proof import problem_with_servers
from gateway.jobs.setup import Setup
from gateway.jobs.surroundings import Surroundings, is_versioned
from gateway.store import StoreError
from sandboxes.errors import SandboxError
from sandboxes.policy import Limits
from supervisor.errors import SupervisorError

log = logging.getLogger(__name__)

LOOK_AT_MEMORY_EVERY_S = 10.0
ANSWER_S = 2.0
"""An idle CLI answers in milliseconds; what takes longer is no faster than a fresh start."""

SetUp = Callable[[Run], Awaitable[Setup]]


class Standby:
    """One CLI, from before its start to its last process."""

    def __init__(
        self, run: Run, kept_s: float, now_ms: Callable[[], int], around: Surroundings
    ) -> None:
        """`run`: the one that it waits for, as far as it can be known. It waits for `kept_s`."""
        self.run = run
        self._kept_s = kept_s
        self._around = around
        self._now_ms = now_ms
        self._opened_ms = now_ms()
        self.is_named = False
        """A run was stored under its id."""
        self._day = around.today()
        self._place: Place | None = None
        self._decided = anyio.Event()
        """It waits, or never will."""
        self._claimed = anyio.Event()
        self._over = anyio.Event()
        self._ended = anyio.Event()
        self._scope = anyio.CancelScope()

    @property
    def is_claimed(self) -> bool:
        """Tell whether a run has got it."""
        return self._claimed.is_set()

    @property
    def until_ms(self) -> int:
        """Until when it waits."""
        return self._opened_ms + round(self._kept_s * 1000)

    async def keep(self, places: Places, set_up: SetUp, limits: Limits) -> None:
        """Start it, let it wait, and return when nothing is left of it."""
        try:
            with self._scope:
                await self._open(places, set_up, limits)
        finally:
            if not self.is_claimed:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(remove_unused, places.folders(self.run))
            self._decided.set()
            self._ended.set()

    async def claim(self, setup: Setup) -> Place | None:
        """Return its place for a run of this setup; None when it does not fit."""
        await self._decided.wait()
        place = self._place
        if place is None or place.setup != setup or not await self._is_fresh(place):
            return None
        place.folders.standby_file.unlink(missing_ok=True)
        self._claimed.set()
        return place

    def drop(self) -> None:
        """End it, soon, if no run has claimed it."""
        if not self.is_claimed:
            self._place = None
            self._scope.cancel()

    async def end(self) -> None:
        """Return when nothing is left of it; the run that claimed it is over."""
        self.drop()
        self._over.set()
        await self._ended.wait()

    async def _open(self, places: Places, set_up: SetUp, limits: Limits) -> None:
        try:
            setup = await set_up(self.run)
            # Its token ends by the wall clock, which goes on while the machine is suspended.
            self._opened_ms = self._now_ms()
            async with places.open(self.run.id, setup, wait_s=self._kept_s) as place:
                await self._live(place, limits)
        except (RunRefused, SandboxError, SupervisorError, StoreError) as error:
            log.info("No CLI waits for the next run: %s", error)
        except Exception:
            log.exception("The CLI that was to wait for the next run failed in the gateway")

    async def _live(self, place: Place, limits: Limits) -> None:
        cli = place.cli
        try:
            await cli.start()
            if cli.group is not None:
                note_group(place.folders, cli.group)
            if problem := problem_with_servers(place.setup.access, await cli.reach_servers()):
                log.info("No CLI waits for the next run: %s", problem)
                return
            self._place = place
            self._decided.set()
            await self._wait(place, limits)
        except ClaudeSDKError as error:
            log.info("No CLI waits for the next run: %s", cli.sentence(error))
        finally:
            self._place = None
            if not self.is_claimed:
                with anyio.CancelScope(shield=True):
                    await cli.end(idle=False)

    async def _wait(self, place: Place, limits: Limits) -> None:
        """Return when it waits no longer, or when the run that has claimed it is over."""
        try:
            with anyio.move_on_after(self._kept_s):
                await self._until_claimed(place, limits)
        except Exception:
            # A run that has it by now watches it itself.
            log.exception("The CLI that waits for run %s cannot be watched", self.run.id)
        if self.is_claimed:
            # Whoever is to end it as well ends the attempt, which needs the place until then.
            with anyio.CancelScope(shield=True):
                await self._over.wait()

    async def _until_claimed(self, place: Place, limits: Limits) -> None:
        """Return once it is claimed, or must not wait any longer."""
        group, folders = place.cli.group, place.folders
        assert group is not None, "it has started"

        async def watch_appetite() -> None:
            owned = (folders.work, folders.home, folders.temporary)
            reason = await until_too_much(group.number, limits, owned)
            log.warning("The CLI that waited for the next run was ended: %s", reason)
            tasks.cancel_scope.cancel()

        async def watch_memory() -> None:
            while self._around.has_room():  # noqa: ASYNC110 - the kernel has no event for it
                await anyio.sleep(LOOK_AT_MEMORY_EVERY_S)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch_appetite)
            tasks.start_soon(watch_memory)
            await self._claimed.wait()
            tasks.cancel_scope.cancel()

    async def _is_fresh(self, place: Place) -> bool:
        """Tell whether what it learned at its start is still so."""
        group = place.cli.group
        if group is None or not is_alive(group) or self._day != self._around.today():
            return False
        open_ms = self._now_ms() - self._opened_ms
        if not 0 <= open_ms <= self._kept_s * 1000 or is_versioned(place.folders.work):
            return False
        try:
            with anyio.fail_after(ANSWER_S):
                reports = await place.cli.look_at_servers()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run gets a fresh one
            log.info("The CLI that waited for run %s is not used: %r", self.run.id, error)
            return False
        return self._place is place and not problem_with_servers(place.setup.access, reports)
