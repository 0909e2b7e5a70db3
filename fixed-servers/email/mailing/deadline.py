"""Until when a mail may be handed over."""

from collections.abc import Callable
from time import monotonic

DELIVERY_S = 90.0
"""Well within call_timeout_s of metadata.json: no mail leaves after its sender was told that it
took too long."""


class TooLate(TimeoutError):
    """The deadline of a delivery has passed."""


class Deadline:
    """One for a whole delivery, however many steps it has."""

    def __init__(self, seconds: float = DELIVERY_S, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left, more than none. Raises TooLate: none are."""
        left = self._end - self._clock()
        if left <= 0:
            raise TooLate(f"the delivery took longer than {self._seconds:g} seconds")
        return left
