"""The clock that all nodes go by: that of the database."""

from collections.abc import Callable

from gateway.domain.clock import utc_ms
from gateway.jobs.clock import SystemClock


class SharedClock(SystemClock):
    """This machine's clock, put right by what the database said last."""

    def __init__(self, now_ms: Callable[[], int] = utc_ms) -> None:
        """`now_ms`: the clock of this machine."""
        self._now_ms = now_ms
        self.off_ms = 0
        """How far the database's clock is ahead."""

    def now_ms(self) -> int:
        """Return the present instant."""
        return self._now_ms() + self.off_ms

    def put_right(self, said_ms: int, asked_ms: int, answered_ms: int) -> None:
        """Take what the database said, between two times of this machine's clock."""
        self.off_ms = said_ms - (asked_ms + answered_ms) // 2
