"""The wall clock as the domain reads it."""

import time


def utc_ms() -> int:
    """Return the time since the epoch in integer milliseconds UTC."""
    return time.time_ns() // 1_000_000
