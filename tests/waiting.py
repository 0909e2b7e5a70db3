"""How tests wait for what happens beside them: in another task, in a child process, in a file.

Each waits for a condition that proves it, never for a length of time. Between two looks it leaves
the processor to what it waits for.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, repeat

import anyio

PATIENCE_S = 30.0
"""The bound of every wait for what takes milliseconds: a quarter of what pytest grants a test."""
PAUSES_S = (0.0, 0.001, 0.002, 0.004)
LONGEST_PAUSE_S = 0.008


async def until(fact: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Return once a fact holds. Raises TimeoutError."""
    pauses = _pauses()
    with anyio.fail_after(within_s):
        while not fact():  # noqa: ASYNC110 - most of it has no event
            await anyio.sleep(next(pauses))


async def until_seen(look: Callable[[], Awaitable[object]], within_s: float = PATIENCE_S) -> None:
    """Return once what must be awaited says so. Raises TimeoutError."""
    pauses = _pauses()
    with anyio.fail_after(within_s):
        while not await look():  # noqa: ASYNC110 - as above
            await anyio.sleep(next(pauses))


def wait_until(fact: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Return once a fact holds, for a test without an event loop. Raises TimeoutError."""
    pauses, deadline = _pauses(), time.monotonic() + within_s
    while not fact():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(next(pauses))


def _pauses() -> Iterator[float]:
    return chain(PAUSES_S, repeat(LONGEST_PAUSE_S))
