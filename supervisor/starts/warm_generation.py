"""One warm process, and those that wait for its children.

Above: `warm_source`, which starts the next when one ends. Below: `sandboxes.warm.parent`.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress

import anyio
import anyio.to_thread

from sandboxes.interpreter import packages_mark
from sandboxes.launch import Launch
from sandboxes.warm.parent import (
    Failed,
    Forked,
    ForkedChild,
    Refused,
    WarmConfig,
    WarmProcess,
    WarmReady,
)

FORK_WITHIN_S = 5.0
"""A fork takes 0.03 s."""
STDERR_BYTES = 4096


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

    @property
    def usable(self) -> bool:
        """True while it can have children."""
        return self.ready and not self.retired and self.ended is None

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
