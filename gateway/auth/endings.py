"""When a caller's tokens end, by somebody's word or by time, what it has open ends with them."""

from collections.abc import Callable
from contextlib import suppress

import anyio

from gateway.domain.clock import utc_ms

LONGEST_WAIT_S = 60.0
"""Clocks of machines are set and sleep; the next look is never further away than this."""

Listener = Callable[[str], None]


class Endings:
    """Knows when the last token of each caller that was seen expires; tells who wants to know."""

    def __init__(self, now_ms: Callable[[], int] = utc_ms) -> None:
        self._now_ms = now_ms
        self._expire_at: dict[str, int] = {}
        self._listeners: list[Listener] = []
        self._awaited: dict[str, anyio.Event] = {}
        self._changed = anyio.Event()

    def listen(self, listener: Listener) -> None:
        """Have `listener` told the id of each caller whose tokens have ended."""
        self._listeners.append(listener)

    def note(self, caller: str, expires_at: int) -> None:
        """Take the end of a valid token; of several the last one counts."""
        if expires_at > self._expire_at.get(caller, 0):
            self._expire_at[caller] = expires_at
            self._changed.set()

    def end(self, caller: str) -> None:
        """End what a caller has open: none of its tokens is valid any more."""
        self._expire_at.pop(caller, None)
        if (awaited := self._awaited.pop(caller, None)) is not None:
            awaited.set()
        for listener in self._listeners:
            listener(caller)

    async def wait(self, caller: str) -> None:
        """Return when the caller's tokens have ended."""
        await self._awaited.setdefault(caller, anyio.Event()).wait()

    def end_expired(self) -> None:
        """End what belongs to callers whose last token has expired."""
        now = self._now_ms()
        for caller in [each for each, end in self._expire_at.items() if end <= now]:
            self.end(caller)

    async def run(self) -> None:
        """End what expires, for as long as the gateway runs."""
        while True:
            self.end_expired()
            self._changed = anyio.Event()
            with suppress(TimeoutError), anyio.fail_after(self._wait_s()):
                await self._changed.wait()

    def _wait_s(self) -> float:
        first = min(self._expire_at.values(), default=None)
        if first is None:
            return LONGEST_WAIT_S
        return min(max(0.0, (first - self._now_ms()) / 1000), LONGEST_WAIT_S)
