"""What became of a form, for the page that the browser is sent to after it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.domain.ids import new_id

KEEP_S = 900.0
MAX_KEPT = 32
"""Of one kind, in the whole gateway; the oldest makes room."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action."""

    ok: bool
    sentence: str
    lines: tuple[str, ...] = ()
    """The end of standard error, where the code did not come to life."""
    facts: tuple[tuple[str, str], ...] = ()
    """Such as which tools were added."""


class Kept(Generic[T]):
    """The newest of what was kept, each under an id of its own."""

    def __init__(self, most: int = MAX_KEPT, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._kept: dict[str, tuple[float, T]] = {}

    def keep(self, value: T) -> str:
        """Keep a value; return its id."""
        self._drop_old(self._most - 1)
        key = new_id("said")
        self._kept[key] = (self._now() + KEEP_S, value)
        return key

    def find(self, key: str) -> T | None:
        """Return a value; None when it is gone or never was."""
        self._drop_old(self._most)
        found = self._kept.get(key)
        return None if found is None else found[1]

    def _drop_old(self, room: int) -> None:
        now = self._now()
        for key, (until, _) in tuple(self._kept.items()):
            if until <= now or len(self._kept) > room:
                del self._kept[key]
