"""How long calls took, in a bounded number of buckets that grow with the duration.

A power of two holds 16 buckets, so that a percentile is off by at most a thirtieth, whether calls
take microseconds or hours (the layout of HdrHistogram). Above: `metrics`; `link` records.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

SUB_BITS = 4
"""Sixteen buckets for each power of two."""
LONGEST_US = (1 << 36) - 1
"""Nineteen hours; longer calls count as this."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of answered tool calls in milliseconds; None without a call."""

    calls: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


class Latencies:
    """Counts durations; a record costs one addition."""

    def __init__(self) -> None:
        self._before = _empty()
        self._since_fold = _empty()

    def record(self, seconds: float) -> None:
        """Count one answered call."""
        self._since_fold[_bucket(min(int(seconds * 1e6), LONGEST_US))] += 1

    def fold(self) -> Latency:
        """Return the percentiles of the calls since the last fold, and begin anew."""
        latest = summary(self._since_fold)
        if latest.calls:
            for bucket, count in enumerate(self._since_fold):
                self._before[bucket] += count
            self._since_fold = _empty()
        return latest

    def total(self) -> Latency:
        """Return the percentiles of all calls so far."""
        return summary([a + b for a, b in zip(self._before, self._since_fold, strict=True)])


def summary(counts: Iterable[int]) -> Latency:
    """Return the percentiles of calls that were counted by bucket."""
    filled = [(bucket, count) for bucket, count in enumerate(counts) if count]
    calls = sum(count for _, count in filled)
    p50, p95, p99 = (_percentile(filled, calls, share) for share in (0.5, 0.95, 0.99))
    return Latency(calls, p50, p95, p99)


def _percentile(filled: list[tuple[int, int]], calls: int, share: float) -> float | None:
    seen = 0
    for bucket, count in filled:
        seen += count
        if seen >= share * calls:
            return _middle_us(bucket) / 1000
    return None


def _empty() -> "array[int]":
    return array("Q", bytes(8 * (_bucket(LONGEST_US) + 1)))


def _bucket(microseconds: int) -> int:
    shift = max(0, microseconds.bit_length() - SUB_BITS - 1)
    return (shift << SUB_BITS) + (microseconds >> shift)


def _middle_us(bucket: int) -> float:
    shift = max(0, (bucket >> SUB_BITS) - 1)
    return ((bucket - (shift << SUB_BITS)) << shift) + (1 << shift) / 2
