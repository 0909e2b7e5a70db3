"""Token buckets by key, in a table that is bounded whoever chooses the keys.

Kept is one instant for each key: when its bucket will be full again (the generic cell rate
algorithm of ATM). So a look is one look-up and one comparison, and nothing has to be refilled.
"""

from collections.abc import Callable

MAX_KEYS = 10_000
"""The key that came first goes first; its bucket is full then."""


class Buckets:
    """How often each key may come: `burst` times at once, and once more every `every_s`."""

    def __init__(self, *, burst: float, every_s: float, monotonic: Callable[[], float]) -> None:
        self._every_s = every_s
        self._depth_s = (burst - 1) * every_s
        self._monotonic = monotonic
        self._full_at: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._full_at)

    def take(self, key: str) -> float:
        """Take one and return 0.0; take nothing of an empty one and return the seconds to wait."""
        now = self._monotonic()
        full_at = self._full_at.get(key, now)
        wait_s = full_at - now - self._depth_s
        if wait_s > 0.0:
            return wait_s
        if key not in self._full_at and len(self._full_at) >= MAX_KEYS:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[key] = max(full_at, now) + self._every_s
        return 0.0

    def wait_s(self, key: str) -> float:
        """Return the seconds to wait, 0.0 for none; takes nothing."""
        full_at = self._full_at.get(key)
        return 0.0 if full_at is None else max(0.0, full_at - self._monotonic() - self._depth_s)
