"""One rendered fragment for all open tabs, made at most once per interval."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

MIN_INTERVAL_S = 0.4
"""Between two renderings, however many events or tabs there are."""
TICK_S = 2.0
"""Counters change without an event; this often they are looked at while a tab is open."""


class LiveFragment:
    """Renders through `render` and lets any number of streams wait for the next difference."""

    def __init__(
        self, render: Callable[[], Awaitable[str]], monotonic: Callable[[], float]
    ) -> None:
        self._render = render
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._rendered_at: float | None = None
        self._text = ""
        self._closed = False

    def mark_changed(self) -> None:
        """Wake every stream; called on the loop's thread for each event worth showing."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """End every stream, so that open tabs do not hold up the end of the gateway."""
        self._closed = True
        self.mark_changed()

    async def updates(self) -> AsyncIterator[str | None]:
        """Yield the fragment whenever it differs from what was last yielded here, else None.

        A reader that is slow misses what lies between and gets the newest.
        """
        last: str | None = None
        while not self._closed:
            waiting_for = self._changed
            text = await self.newest()
            yield text if text != last else None
            last = text
            await _set_within(waiting_for, TICK_S)
            await asyncio.sleep(self._too_early_by_s())

    async def newest(self) -> str:
        """Return the fragment, at most MIN_INTERVAL_S old or just made."""
        async with self._lock:
            if self._rendered_at is None or self._too_early_by_s() <= 0:
                self._rendered_at = self._monotonic()
                self._text = await self._render()
            return self._text

    def _too_early_by_s(self) -> float:
        if self._rendered_at is None:
            return 0.0
        return max(0.0, self._rendered_at + MIN_INTERVAL_S - self._monotonic())


async def _set_within(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
