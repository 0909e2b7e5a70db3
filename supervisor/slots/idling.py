"""Stops children that nobody called for long; their next call starts them again.

One task for all servers: it sleeps until the first of them is due, and costs nothing meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterable

import anyio

from supervisor.slots.slot import Slot


class Idling:
    """Looks after the running children while `run` runs."""

    def __init__(self, slots: Callable[[], Iterable[Slot]]) -> None:
        self._slots = slots
        # Of asyncio, because it is set outside of any task.
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look again: a child was started."""
        self._woken.set()

    async def run(self) -> None:
        """Stop whatever was idle for as long as its server allows."""
        while True:
            self._woken.clear()
            next_in_s: float | None = None
            for slot in self._slots():
                left_s = slot.idle_left_s
                if left_s is None:
                    continue
                if left_s <= 0:
                    slot.doze()
                elif next_in_s is None or left_s < next_in_s:
                    next_in_s = left_s
            with anyio.move_on_after(next_in_s):
                await self._woken.wait()
