"""The clock that all nodes go by: that of the database."""

import time
from collections.abc import Callable

from gateway.domain.clock import utc_ms
from gateway.jobs.clock import SystemClock

SLOW_S = 1.0
"""An answer that took longer does not tell the time."""


def running_s() -> float:
    """Return seconds that also pass while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SharedClock(SystemClock):
    """What the database said last, and the time since; until it says something this machine's.

    Setting this machine's clock changes nothing then.
    """

    def __init__(
        self,
        now_ms: Callable[[], int] = utc_ms,
        running_s: Callable[[], float] = running_s,
    ) -> None:
        """`now_ms`: the clock of this machine. `running_s`: one that nobody sets."""
        self._machine_ms = now_ms
        self._running_s = running_s
        self._said: tuple[int, float] | None = None

    @property
    def off_ms(self) -> int:
        """How far the database's clock is ahead of this machine's."""
        return self.now_ms() - self._machine_ms()

    def now_ms(self) -> int:
        """Return the present instant."""
        if self._said is None:
            return self._machine_ms()
        said_ms, at_s = self._said
        return said_ms + round((self._running_s() - at_s) * 1000)

    def put_right(self, said_ms: int, asked_s: float, answered_s: float) -> None:
        """Take what the database said, between two times of the clock that nobody sets."""
        if answered_s - asked_s <= SLOW_S:
            self._said = said_ms, (asked_s + answered_s) / 2
