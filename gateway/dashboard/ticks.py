"""When jobs are due, as the clocks of their own zones show it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.domain.job import Job
from gateway.jobs.times import local_times


@dataclass(frozen=True, slots=True)
class TickRow:
    """A job's next time."""

    job_id: str
    name: str
    at: int
    """In milliseconds UTC."""
    day: str
    """Empty: today, in that zone."""
    time: str
    zone: str


def tick_rows(jobs: Iterable[Job], now: int) -> Iterator[TickRow]:
    """Yield the next times of those that have one."""
    for job in jobs:
        if job.next_fire_at is not None:
            due, today = local_times((job.next_fire_at, now), job.timezone)
            day, _, time = due.partition("T")
            day = "" if today.startswith(day) else day
            yield TickRow(job.id, job.name, job.next_fire_at, day, time[:5], job.timezone)
