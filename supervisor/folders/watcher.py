"""Tells which servers' folders have changed on disk, a moment after they did.

It only wakes the reader: whether anything is new is for the digest to say. Several writes to one
server are one change when they come close together.
"""

import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from watchfiles import (
    Change,
    awatch,  # pyright: ignore[reportUnknownVariableType] - takes Trio's events too
)

from supervisor.events import Event, WatchingSlowly
from supervisor.folders.catalog import is_noise

log = logging.getLogger(__name__)

QUIET_MS = 25
"""No further write for this long: the change is complete."""
LONGEST_MS = 400
"""A storm of writes, such as a checkout, is looked at in the middle after this long."""
POLL_MS = 1000
"""Between two looks at all files, where the kernel has no watches left for us."""


class Watcher:
    """Watches the folders that hold servers while `run` runs."""

    def __init__(
        self,
        roots: Iterable[Path],
        on_change: Callable[[str], Awaitable[None]],
        emit: Callable[[Event], None],
    ) -> None:
        """`on_change` is told the name of a folder, also while it handles an earlier change."""
        self._roots = tuple(roots)
        self._on_change = on_change
        self._emit = emit

    async def run(self) -> None:
        """Watch until cancelled. Nothing is missed from its first wait on."""
        for root in self._roots:
            root.mkdir(parents=True, exist_ok=True)
        # The thread that waits for the kernel ends by this flag alone, not by cancellation.
        stop = threading.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_set_at_the_end, stop)
            try:
                await self._follow(group, stop, polling=False)
            except (OSError, RuntimeError) as error:
                # The library raises either, by which of the kernel's limits is met.
                self._emit(WatchingSlowly(str(error), POLL_MS / 1000))
                await self._follow(group, stop, polling=True)

    async def _follow(self, group: TaskGroup, stop: threading.Event, *, polling: bool) -> None:
        changes = awatch(
            *self._roots,
            watch_filter=self._matters,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            stop_event=stop,
            force_polling=polling,
            poll_delay_ms=POLL_MS,
        )
        async for found in changes:
            for name in sorted({name for _, path in found if (name := self._name(path))}):
                group.start_soon(self._handle, name)

    def _matters(self, change: Change, path: str) -> bool:
        return self._name(path) is not None

    def _name(self, path: str) -> str | None:
        """Return the server a path belongs to; None when it is none of ours, or noise."""
        for root in self._roots:
            if Path(path).is_relative_to(root):
                inside = Path(path).relative_to(root)
                return None if is_noise(inside) or not inside.parts else inside.parts[0]
        return None

    async def _handle(self, name: str) -> None:
        try:
            await self._on_change(name)
        except Exception:
            log.exception("A change of server %s on disk could not be handled", name)


async def _set_at_the_end(stop: threading.Event) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()
