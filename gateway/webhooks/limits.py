"""Token buckets: how often something may happen, by key. Bounded in keys."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.reach.address import address_block, client_address
from gateway.relay.http import Scope

MAX_KEYS = 10_000
"""The longest unused key is forgotten, which gives it a full bucket."""
BURST_S = 10.0
"""A full bucket holds what comes in this long."""
MIN_BURST = 10.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Buckets:
    """One bucket a key; the caller says how fast it fills."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, per_minute: int, now: float) -> float:
        """Take one of `key`; return 0.0, or the seconds until there is one.

        `now` is in seconds of a clock that never goes back. `per_minute` 0 is no limit.
        """
        if per_minute == 0:
            return 0.0
        per_second = per_minute / 60
        full = max(MIN_BURST, BURST_S * per_second)
        bucket = self._bucket(key, full, now)
        bucket.left = min(full, bucket.left + (now - bucket.at) * per_second)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return 0.0
        return (1 - bucket.left) / per_second

    def _bucket(self, key: str, full: float, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(full, now)
            if len(self._buckets) > MAX_KEYS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket


class Senders:
    """Counts deliveries by the address that they come from."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self._per_minute = per_minute
        self._buckets = Buckets()

    def take(self, scope: Scope) -> float:
        """Take one for a request; return 0.0, or the seconds until there is one."""
        return self.take_of(address_block(client_address(scope)))

    def take_of(self, block: str) -> float:
        """Take one for an address; return 0.0, or the seconds until there is one."""
        return self._buckets.take(block, self._per_minute, self.monotonic())
