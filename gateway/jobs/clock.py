"""Time as the scheduler sees it: the wall clock in production, a virtual one in tests."""

from typing import Protocol

import anyio

from gateway.domain.clock import utc_ms

LONGEST_SLEEP_S = 30.0
"""A sleep counts seconds that passed; after this many the wall clock is looked at again, because
someone may have set it or the machine may have been suspended."""


class Clock(Protocol):
    """Tells the time and waits for an instant. Instants are integer milliseconds UTC."""

    def now_ms(self) -> int:
        """Return the present instant."""
        ...

    async def sleep_until(self, instant: int | None) -> None:
        """Return when `instant` has come, or earlier; None: some time later."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return the present instant."""
        return utc_ms()

    async def sleep_until(self, instant: int | None) -> None:
        """Return when `instant` has come, and after LONGEST_SLEEP_S at the latest."""
        remaining_s = LONGEST_SLEEP_S if instant is None else (instant - self.now_ms()) / 1000
        await anyio.sleep(max(0.0, min(remaining_s, LONGEST_SLEEP_S)))


async def wait_until(clock: Clock, instant: int | None, wake: anyio.Event) -> None:
    """Return when `wake` is set, or when the clock says that `instant` has come, or earlier."""
    async with anyio.create_task_group() as tasks:

        async def sleep() -> None:
            await clock.sleep_until(instant)
            tasks.cancel_scope.cancel()

        tasks.start_soon(sleep)
        await wake.wait()
        tasks.cancel_scope.cancel()
