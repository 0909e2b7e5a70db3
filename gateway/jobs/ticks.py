"""Which due instants of a job fire now and which are skipped. Pure."""

from dataclasses import dataclass
from itertools import chain, islice, takewhile

from gateway.jobs.cron import Schedule

MAX_COUNTED = 1000
"""A minute job after a week's pause missed ten thousand instants; nobody needs the exact number."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A stretch of due instants that do not fire."""

    first: int
    last: int
    count: int
    """At most MAX_COUNTED: that many or more."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """What is due for one job. Instants are integer milliseconds UTC."""

    fire: int | None
    """The latest due instant when it is within the grace."""
    missed: Missed | None
    following: int | None
    """The next instant after now; None: none comes."""


def due_ticks(schedule: Schedule, *, seen: int, now: int, grace_ms: int) -> Ticks:
    """Return what becomes of the instants from `seen`, which is due, until `now`."""
    ticks = chain([seen], schedule.after(seen))
    due = list(islice(takewhile(lambda tick: tick <= now, ticks), MAX_COUNTED))
    if len(due) == MAX_COUNTED:
        recent = takewhile(lambda tick: tick <= now, schedule.after(now - grace_ms - 1))
        due = [*due, *(tick for tick in recent if tick > due[-1])]
    fire = due[-1] if due[-1] >= now - grace_ms else None
    missed = due if fire is None else due[:-1]
    return Ticks(
        fire=fire,
        missed=Missed(missed[0], missed[-1], min(len(missed), MAX_COUNTED)) if missed else None,
        following=next(schedule.after(now), None),
    )
