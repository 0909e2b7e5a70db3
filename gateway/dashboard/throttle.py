"""How long who must wait before another login is tried: decided before any hash is made.

Each address waits for itself, twice as long after each failure, so that a flood from one address
keeps nobody else out; so does each copy of the login page, so that a flood has to load one after
another. Failures of all addresses together never keep a new address waiting either;
they take away the free failures of each address and double its waits, so that guessing from many
addresses costs one address per guess. A browser in which the owner has logged in before counts
by itself, whatever its address does.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_FAILURES = 5
"""Slips of the keyboard, while nobody attacks."""
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 15 * 60.0
FORGET_S = 3600.0
"""Who has had no failure for this long begins anew."""
STEP = 20.0
"""With each so many recent failures of all addresses together their waits double once more."""
MAX_RECENT = 10 * STEP
"""More recent failures than this change nothing, so that an attack is forgotten in bounded time."""
FADE_S = 600.0
"""How long it takes until STEP fewer failures count as recent."""
MAX_KEYS = 20_000
"""Addresses, pages and browsers of which failures are remembered; the oldest goes first."""


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    free_at: float


class Throttle:
    """Remembers failures, in memory and within bounds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._keys: OrderedDict[str, _Failures] = OrderedDict()
        self._all = 0.0
        self._all_at = monotonic()

    def admit(self, *keys: str, known: bool) -> float:
        """Return 0.0 when a login may be tried now, else the seconds to wait.

        All of `keys` must be free. An admitted try counts as a failure of each until `succeeded`
        says otherwise, so that many at the same time are no way around the count. A refused one
        counts for nothing.
        """
        now = self._monotonic()
        free_at = max((self._failures(key, now).free_at for key in keys), default=now)
        if free_at > now:
            return free_at - now
        recent = 0.0 if known else self._recent(now)
        for key in keys:
            self._charge(key, now, recent)
        if not known:
            self._all = recent + 1.0
        return 0.0

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of whoever has just logged in."""
        found = [self._keys.pop(key, None) for key in keys]
        if any(found):
            self._all = max(0.0, self._all - 1.0)

    def _failures(self, key: str, now: float) -> _Failures:
        found = self._keys.get(key)
        return (
            found if found is not None and found.last + FORGET_S > now else _Failures(0, now, now)
        )

    def _charge(self, key: str, now: float, recent: float) -> None:
        failures = self._failures(key, now)
        failures.count += 1
        failures.last = now
        failures.free_at = now + wait_s(failures.count, recent)
        self._keys[key] = failures
        self._keys.move_to_end(key)
        if len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)

    def _recent(self, now: float) -> float:
        """Return how many failures count as recent; they fade evenly."""
        faded = (now - self._all_at) * STEP / FADE_S
        self._all_at = now
        self._all = min(max(0.0, self._all - faded), MAX_RECENT)
        return self._all


def wait_s(failures: int, recent: float) -> float:
    """Return the wait after so many failures of one address and `recent` ones of all."""
    steps = int(recent / STEP)
    free = 0 if steps else FREE_FAILURES
    if failures <= free:
        return 0.0
    doublings = min(failures - free - 1 + steps, 30)
    return min(MAX_WAIT_S, FIRST_WAIT_S * 2.0**doublings)
