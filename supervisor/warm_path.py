"""Starts children: by forks of a warm process where one is at hand, by programs else.

Keeps one warm process for the servers' Python: started in the background, again when it ended,
anew when its packages changed. Whatever fails on the way is told and ends in a cold start.
Above: `supervisor`. Below: `sandboxes.warm`.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread
import psutil
from anyio.abc import TaskGroup

from sandboxes.errors import SandboxError
from sandboxes.interpreter import packages_mark
from sandboxes.launch import Launch
from sandboxes.warm import (
    Failed,
    Forked,
    ForkedChild,
    Refused,
    WarmConfig,
    WarmProcess,
    WarmReady,
)
from supervisor.events import Event, WarmLost, WarmStarted, WentCold
from supervisor.leftovers import PidFile, Recorded
from supervisor.spawned import ColdProcess, Spawned

READY_WITHIN_S = 60.0
"""It takes 2 s; one that takes longer than this never comes."""
PATIENCE_S = 10.0
"""How long a start waits for a warm process that is being started. It takes 2 s, as long as one
cold start, and all servers of a gateway that starts wait for the same one."""
FORK_WITHIN_S = 5.0
"""A fork takes 0.03 s."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
"""Between the end of a warm process and the next; doubled while they end within a minute."""
LIVED_WELL_S = 60.0
RENEW_AFTER_S = 24 * 3600.0
"""Children of one warm process share its memory layout; a new one has another."""
STDERR_BYTES = 4096
RECORDED_AS = "warm start"


class NoFork(Exception):
    """There is no warm child to be had; the message says why."""


class Generation:
    """One warm process and those that wait for its children."""

    def __init__(self, config: WarmConfig, wake: Callable[[], None]) -> None:
        """Start it from the event loop's thread; `wake` is called whenever something changed.

        Raises:
            SandboxError, OSError: it cannot be started.
        """
        self.mark = packages_mark(config.python)
        self.started_at = time.monotonic()
        self.ready = False
        self.retired = False
        self.ended: str | None = None
        self.process = WarmProcess(config, on_forgotten=wake)
        self._wake = wake
        self._births: dict[int, asyncio.Future[ForkedChild]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.process.fileno(), self._hear)

    @property
    def age_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started_at

    def retire(self) -> None:
        """Let it have no more children."""
        self.retired = True
        self._wake()

    async def fork(self, launch: Launch) -> ForkedChild:
        """Return a confined child.

        Raises:
            NoFork: there is none, and nothing of it is left.
        """
        try:
            number = self.process.ask(launch)
        except OSError as error:
            raise NoFork(f"the warm process takes no request ({error.strerror})") from error
        try:
            with anyio.fail_after(FORK_WITHIN_S):
                child = await self._born(number)
                await _confined(child)
                return child
        except TimeoutError:
            raise NoFork(f"no confined child within {FORK_WITHIN_S:g} s") from None

    async def close(self) -> None:
        """End it, and all its children with it."""
        self._loop.remove_reader(self.process.fileno())
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.process.close)

    async def _born(self, number: int) -> ForkedChild:
        birth = self._births[number] = self._loop.create_future()
        try:
            return await birth
        except BaseException:
            # Given up in the very turn of the loop in which it was born.
            if birth.done() and not birth.cancelled() and birth.exception() is None:
                birth.result().give_up()
            raise
        finally:
            self._births.pop(number, None)

    def _hear(self) -> None:
        said = self.process.hear()
        match said:
            case WarmReady():
                self.ready = True
            case Forked():
                birth = self._births.get(said.number)
                if birth is None or birth.done():
                    said.child.give_up()
                else:
                    birth.set_result(said.child)
            case Refused():
                birth = self._births.get(said.number)
                if birth is not None and not birth.done():
                    birth.set_exception(NoFork(f"the warm process has no child ({said.reason})"))
            case Failed():
                self._end(said.reason)
            case None:
                return
        self._wake()

    def _end(self, reason: str) -> None:
        self._loop.remove_reader(self.process.fileno())
        self.ended = self.ended or reason
        for birth in self._births.values():
            if not birth.done():
                birth.set_exception(NoFork(f"the warm process ended: {reason}"))


async def _confined(child: ForkedChild) -> None:
    try:
        await anyio.wait_readable(child.exit_fd)
        if not child.confined():
            raise NoFork(_last_words(child))
    except BaseException:
        child.give_up()
        raise


def _last_words(child: ForkedChild) -> str:
    os.set_blocking(child.stderr, False)
    with suppress(BlockingIOError):
        if said := os.read(child.stderr, STDERR_BYTES):
            return said.decode("utf-8", "replace").strip().rstrip(".")
    return "a warm child ended before it was confined"


class WarmPath:
    """Starts children while it is entered; no warm process is left behind."""

    def __init__(
        self, config: WarmConfig | None, *, emit: Callable[[Event], None], pids: PidFile
    ) -> None:
        """Without a `config` every start is cold, and nothing is said of it."""
        self._config = config
        self._emit = emit
        self._pids = pids
        self._current: Generation | None = None
        self._why_none = "the warm process is not started yet"
        self._changed = asyncio.Event()
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        if self._config is not None:
            self._current = self._next(self._config)
            self._group.start_soon(self._keep_one, self._config)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._group is not None
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)

    async def spawn(self, server: str, launch: Launch) -> Spawned:
        """Start a child, warm when it may be and can be.

        Raises:
            OSError: its program does not exist or cannot be executed.
        """
        if launch.confinement is not None and self._config is not None:
            try:
                generation = await self._ready(self._config)
                return await generation.fork(launch)
            except NoFork as error:
                self._emit(WentCold(server, str(error)))
        return ColdProcess(launch)

    async def _ready(self, config: WarmConfig) -> Generation:
        with anyio.move_on_after(PATIENCE_S):
            while self._current is not None:
                generation = self._current
                if generation.ready and not generation.retired and generation.ended is None:
                    if _fresh(generation, config):
                        return generation
                    generation.retire()
                await self._changed.wait()
            raise NoFork(self._why_none)
        raise NoFork(f"the warm process is not ready after {PATIENCE_S:g} s")

    async def _keep_one(self, config: WarmConfig) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            generation = self._current or self._next(config)
            if generation is not None:
                await self._live(generation)
                self._current = None
                if generation.retired and generation.ended is None:
                    continue
                self._lost(generation.ended or "it ended")
                pause_s = FIRST_PAUSE_S if generation.age_s > LIVED_WELL_S else pause_s
            self._wake()
            await anyio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _next(self, config: WarmConfig) -> Generation | None:
        try:
            for folder in (config.data_root, *config.code_roots):
                folder.mkdir(parents=True, exist_ok=True)
            generation = self._current = Generation(config, self._wake)
        except (OSError, SandboxError) as error:
            self._lost(str(error).rstrip("."))
            return None
        pid = generation.process.pid
        self._pids.add(Recorded(RECORDED_AS, pid, psutil.Process(pid).create_time()))
        return generation

    async def _live(self, generation: Generation) -> None:
        """Return when another one is needed; this one is gone or on its way."""
        draining = False
        try:
            with anyio.move_on_after(READY_WITHIN_S):
                while not generation.ready and generation.ended is None:
                    await self._changed.wait()
            if not generation.ready:
                generation.ended = generation.ended or f"not ready after {READY_WITHIN_S:g} s"
                return
            self._emit(WarmStarted(generation.process.pid, generation.age_s))
            while generation.ended is None and not generation.retired:
                await self._changed.wait()
            if generation.ended is None and self._group is not None:
                draining = True
                self._group.start_soon(self._drain, generation)
        finally:
            if not draining:
                await self._close(generation)

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

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _fresh(generation: Generation, config: WarmConfig) -> bool:
    return generation.age_s < RENEW_AFTER_S and generation.mark == packages_mark(config.python)
