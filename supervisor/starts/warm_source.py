"""Where forked children come from: keeps one warm process, anew when it ended or grew old.

Above: `warm_path`. Below: `warm_generation`.
"""

import asyncio
from collections.abc import Callable

import anyio
import psutil
from anyio.abc import TaskGroup

from sandboxes.errors import SandboxError
from sandboxes.interpreter import packages_mark
from sandboxes.launch import Launch
from sandboxes.warm.parent import ForkedChild, WarmConfig
from supervisor.events import Event, WarmLost, WarmStarted
from supervisor.starts.leftovers import PidFile, Recorded
from supervisor.starts.warm_generation import Generation, NoFork

READY_WITHIN_S = 60.0
"""It takes 2 s; one that takes longer than this never comes."""
PATIENCE_S = 10.0
"""How long a start waits for a warm process that is being started. It takes 2 s, as long as one
cold start, and all servers of a gateway that starts wait for the same one."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
"""Between the end of a warm process and the next; doubled while they end within a minute."""
LIVED_WELL_S = 60.0
RENEW_AFTER_S = 24 * 3600.0
"""Children of one warm process share its memory layout; a new one has another."""
RECORDED_AS = "warm start"


class WarmSource:
    """Gives children of the warm process that it keeps while `keep` runs."""

    def __init__(
        self,
        config: WarmConfig,
        *,
        emit: Callable[[Event], None],
        pids: PidFile,
        unused_s: float | None = None,
    ) -> None:
        """`unused_s`: the warm process is started when it is first needed, and ended when it had
        no children for so long. None: it is started at once and stays.
        """
        self._config = config
        self._emit = emit
        self._pids = pids
        self._unused_s = unused_s
        self._current: Generation | None = None
        self._why_none: str | None = None
        """Set between the end of one and the start of the next."""
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        if unused_s is None:
            self._wanted.set()

    async def fork(self, launch: Launch) -> ForkedChild:
        """Return a confined child.

        Raises:
            NoFork: there is none, and nothing of it is left.
        """
        self._wanted.set()
        generation = await self._ready()
        return await generation.fork(launch)

    async def keep(self) -> None:
        """Keep one until cancelled; leaves none behind."""
        pause_s = FIRST_PAUSE_S
        async with anyio.create_task_group() as draining:
            while True:
                await self._wanted.wait()
                generation = self._next()
                if generation is not None:
                    await self._live(generation, draining)
                    self._current = None
                    if generation.retired and generation.ended is None:
                        continue
                    self._lost(generation.ended or "it ended")
                    pause_s = FIRST_PAUSE_S if generation.age_s > LIVED_WELL_S else pause_s
                self._wake()
                await anyio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _ready(self) -> Generation:
        with anyio.move_on_after(PATIENCE_S):
            while self._why_none is None:
                generation = self._current
                if generation is not None and generation.usable:
                    if self._fresh(generation):
                        return generation
                    generation.retire()
                await self._changed.wait()
            raise NoFork(self._why_none)
        raise NoFork(f"the warm process is not ready after {PATIENCE_S:g} s")

    def _next(self) -> Generation | None:
        self._why_none = None
        try:
            for folder in (self._config.data_root, *self._config.code_roots):
                folder.mkdir(parents=True, exist_ok=True)
            generation = self._current = Generation(self._config, self._wake)
        except (OSError, SandboxError) as error:
            self._lost(str(error).rstrip("."))
            return None
        pid = generation.process.pid
        self._pids.add(Recorded(RECORDED_AS, pid, psutil.Process(pid).create_time()))
        return generation

    async def _live(self, generation: Generation, draining: TaskGroup) -> None:
        """Return when another one is needed; this one is gone or on its way."""
        drains = False
        try:
            with anyio.move_on_after(READY_WITHIN_S):
                while not generation.ready and generation.ended is None:
                    await self._changed.wait()
            if not generation.ready:
                generation.ended = generation.ended or f"not ready after {READY_WITHIN_S:g} s"
                return
            self._emit(WarmStarted(generation.process.pid, generation.age_s))
            while generation.usable:
                await self._used(generation)
            if generation.ended is None:
                drains = True
                draining.start_soon(self._drain, generation)
        finally:
            if not drains:
                await self._close(generation)

    async def _used(self, generation: Generation) -> None:
        """Return when something changed; retire one that has had no children for long."""
        childless = self._unused_s is not None and not generation.process.children
        with anyio.move_on_after(self._unused_s if childless else None) as patience:
            await self._changed.wait()
        if patience.cancelled_caught:
            self._wanted.clear()
            generation.retire()

    async def _drain(self, generation: Generation) -> None:
        """Let its children come to their own end, which they would not outlive."""
        try:
            while generation.process.children and generation.ended is None:
                await self._changed.wait()
        finally:
            await self._close(generation)

    async def _close(self, generation: Generation) -> None:
        await generation.close()
        self._pids.remove(generation.process.pid)

    def _lost(self, reason: str) -> None:
        self._why_none = f"there is no warm process ({reason})"
        self._emit(WarmLost(reason))

    def _fresh(self, generation: Generation) -> bool:
        if generation.age_s >= RENEW_AFTER_S:
            return False
        return generation.mark == packages_mark(self._config.python)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
