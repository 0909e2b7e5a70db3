"""When a job fires: its instants, those of a cron expression or a single one, and its jitter.

Pure. Instants are integer milliseconds UTC. A job's own instant is what its schedule says; it
fires a fixed while later, the same for every instant, so that jobs of one minute spread out.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice

from gateway.domain.job import Job
from gateway.jobs.cron import parse
from gateway.jobs.errors import InvalidCron
from gateway.jobs.ticks import Instants, Making, Once


def instants_of(job: Job) -> Instants:
    """Return what a job's schedule says. Raises InvalidCron."""
    if job.at is not None:
        return Once(job.at)
    assert job.cron is not None, "a job has a cron expression or an instant"
    return parse(job.cron, job.timezone)


def offset_ms(job: Job) -> int:
    """Return how long after its instants a job fires; one that runs once is punctual."""
    if job.at is not None or not job.jitter_s:
        return 0
    number = int.from_bytes(hashlib.sha256(job.id.encode()).digest()[:8], "big")
    return number % (int(job.jitter_s * 1000) + 1)


def firings(job: Job, now: int) -> Iterator[int]:
    """Yield when a job fires after `now` and after its pause, in order. Raises InvalidCron."""
    if job.enabled:
        offset = offset_ms(job)
        start = max(now, (job.paused_until or 0) - 1)
        for instant in instants_of(job).after(start - offset):
            yield instant + offset


def next_firings(job: Job, now: int, count: int) -> tuple[int, ...]:
    """Return the next times at which a job fires. Raises InvalidCron."""
    return tuple(islice(firings(job, now), count))


def problem_of(job: Job) -> str | None:
    """Return why a job that is switched on is never due, if its schedule cannot be read any more.

    What was accepted once can become invalid by another version of a library, or of the zones.
    """
    try:
        if job.enabled:
            instants_of(job)
    except InvalidCron as error:
        return str(error)
    return None


def making_of(job: Job) -> Making:
    """Return how far missed instants of a job are made up for."""
    return Making(job.catch_up, job.catch_up_max, int(job.grace_s * 1000))
