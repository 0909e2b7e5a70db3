"""What becomes of the due instants of a job: each one fires or is skipped. Pure.

Instants are integer milliseconds UTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice, takewhile
from typing import Protocol

from gateway.domain.job import CatchUp

MAX_COUNTED = 1000
"""A minute job after a week's pause missed ten thousand instants; nobody needs the exact number."""
PUNCTUAL_MS = 60_000
"""An instant that is looked at within this time is not late: cron knows whole minutes only."""
NEAR_MS = 60 * 60_000
FURTHER = 8
"""How many times further back is looked each time, while there are too few instants near by."""


class Instants(Protocol):
    """The instants of a job."""

    def after(self, instant: int) -> Iterator[int]:
        """Yield every instant later than `instant`, in order; it may never end."""
        ...


@dataclass(frozen=True, slots=True)
class Once:
    """The instants of a job that runs once."""

    at: int

    def after(self, instant: int) -> Iterator[int]:
        """Yield the only instant if it is later than `instant`."""
        if self.at > instant:
            yield self.at


class Why(Enum):
    """Why instants that were missed are not made up for."""

    NONE_WANTED = auto()
    """The job's catch_up is `none`."""
    TOO_LATE = auto()
    """All are further back than the job's grace."""
    NEWER_RUN = auto()
    """Later ones fire in their place."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A stretch of due instants that do not fire."""

    first: int
    last: int
    count: int
    """At most MAX_COUNTED: that many or more."""
    why: Why


@dataclass(frozen=True, slots=True)
class Making:
    """How far missed instants are made up for."""

    catch_up: CatchUp
    most: int
    """With `all`: no more than this many."""
    grace_ms: int


@dataclass(frozen=True, slots=True)
class Due:
    """What is due for one job: together `missed` and `fire` hold each due instant once."""

    fire: tuple[int, ...]
    """In their order, all later than those that were missed."""
    missed: Missed | None
    following: int | None
    """The next instant after now; None: none comes."""


def due(instants: Instants, *, seen: int, now: int, making: Making) -> Due:
    """Return what becomes of the instants from `seen`, which is due, until `now`."""
    most = making.most if making.catch_up is CatchUp.ALL else 1
    newest = _newest(instants, since=seen, until=now, count=most + 1)
    oldest = now - max(PUNCTUAL_MS, 0 if making.catch_up is CatchUp.NONE else making.grace_ms)
    fire = tuple(instant for instant in newest[-most:] if instant >= oldest)
    missed = [instant for instant in newest if not fire or instant < fire[0]]
    return Due(
        fire=fire,
        missed=Missed(
            first=seen,
            last=missed[-1],
            count=_count(instants, seen, missed[-1]),
            why=_why(making, fire),
        )
        if missed
        else None,
        following=next(instants.after(now), None),
    )


def _why(making: Making, fire: tuple[int, ...]) -> Why:
    if making.catch_up is CatchUp.NONE:
        return Why.NONE_WANTED
    return Why.NEWER_RUN if fire else Why.TOO_LATE


def _newest(instants: Instants, *, since: int, until: int, count: int) -> list[int]:
    """Return the last `count` instants of a stretch, looking no further back than needed."""
    reach = NEAR_MS
    while True:
        start = max(since, until - reach)
        found = _between(instants, start, until)
        if start == since or len(found) >= count:
            return found[-count:]
        reach *= FURTHER


def _between(instants: Instants, first: int, last: int) -> list[int]:
    return list(takewhile(lambda instant: instant <= last, instants.after(first - 1)))


def _count(instants: Instants, first: int, last: int) -> int:
    """Return how many instants a stretch holds, MAX_COUNTED at most."""
    stretch = takewhile(lambda instant: instant <= last, instants.after(first - 1))
    return sum(1 for _ in islice(stretch, MAX_COUNTED))
