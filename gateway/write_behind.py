"""Writes to the store what happened, behind whoever tells of it: none of them waits for a database.

Above: `approvals` and `notify`, which hear the supervisor's events.
"""

from collections.abc import Awaitable, Callable

import anyio

AGAIN_AFTER_S = 5.0
"""A database that is locked or away is asked again; what waits is in memory meanwhile."""
LAST_WRITE_S = 5.0
"""What was told just before the end is written, unless the database is away."""


class WriteBehind:
    """Has `write` called once there is something, and again where it could not write all."""

    def __init__(self, write: Callable[[], Awaitable[bool]]) -> None:
        """`write` stores what waits; False when some of it could not be stored and waits on."""
        self._write = write
        self._woken = anyio.Event()

    def wake(self) -> None:
        """Say that something waits."""
        self._woken.set()

    async def run(self) -> None:
        """Write until cancelled, and once more then."""
        try:
            while True:
                await self._woken.wait()
                self._woken = anyio.Event()
                if not await self._write():
                    await anyio.sleep(AGAIN_AFTER_S)
                    self._woken.set()
        finally:
            with anyio.move_on_after(LAST_WRITE_S, shield=True):
                await self._write()
