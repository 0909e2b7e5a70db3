"""Turns due instants into runs, each exactly once; one that does not run gets a row that says why.

The instant of a job is unique in the store, so a crash between the row and the advance of the job
repeats nothing.
"""

import logging
from dataclasses import replace

import anyio

from gateway.domain.job import Job
from gateway.domain.run import RunStatus, Trigger, run_of_job
from gateway.jobs.clock import Clock
from gateway.jobs.cron import parse
from gateway.jobs.errors import InvalidCron, RunRefused
from gateway.jobs.runner import Runner
from gateway.jobs.ticks import MAX_COUNTED, Missed, due_ticks
from gateway.store import Store, StoreError, UnknownJob

log = logging.getLogger(__name__)

GRACE_S = 60 * 60.0
"""An instant that was missed for longer is not made up for."""
MINUTE_MS = 60_000
STORE_PAUSE_MS = 5_000


class Scheduler:
    """Starts the runs of jobs when they are due; `run` goes on until it is cancelled."""

    def __init__(
        self, store: Store, runner: Runner, clock: Clock, *, grace_s: float = GRACE_S
    ) -> None:
        self._store = store
        self._runner = runner
        self._clock = clock
        self._grace_ms = int(grace_s * 1000)
        self._wake = anyio.Event()

    def wake(self) -> None:
        """Look at the jobs again now, because one was changed."""
        self._wake.set()

    async def run(self) -> None:
        """Handle due jobs, sleep to the next instant, and so on."""
        log.info("Scheduler loop started")
        while True:
            self._wake = anyio.Event()
            try:
                await self.handle_due()
                wake_at = await self._next_look()
            except StoreError as error:
                log.error("Due jobs cannot be read: %s", error)
                wake_at = self._clock.now_ms() + STORE_PAUSE_MS
            await self._sleep_until(wake_at)

    async def handle_due(self) -> None:
        """Account for every instant that has come, of every job."""
        now = self._clock.now_ms()
        for job in await self._store.jobs.due(now):
            try:
                await self._handle(job, now)
            except InvalidCron as error:
                log.error("Job %s is not scheduled any more: %s", job.id, error)
                await self._advance(job, None)
            except UnknownJob:
                log.info("Job %s was deleted when it came due", job.id)

    async def _handle(self, job: Job, now: int) -> None:
        assert job.next_fire_at is not None
        schedule = parse(job.cron, job.timezone)
        ticks = due_ticks(schedule, seen=job.next_fire_at, now=now, grace_ms=self._grace_ms)
        if ticks.missed:
            await self._skip(job, ticks.missed.first, _missed_sentence(ticks.missed))
        if ticks.fire is not None:
            await self._fire(job, ticks.fire)
        await self._advance(job, ticks.following)

    async def _fire(self, job: Job, instant: int) -> None:
        running = await self._store.runs.unfinished(job.id)
        if any(run.scheduled_for != instant for run in running):
            await self._skip(job, instant, f"Run {running[0].id} of this job had not ended.")
            return
        try:
            now = self._clock.now_ms()
            run = run_of_job(job, trigger=Trigger.CRON, now=now, scheduled_for=instant)
            await self._runner.submit(run)
        except RunRefused:
            log.info("Job %s has already run for its instant", job.id)

    async def _skip(self, job: Job, instant: int, reason: str) -> None:
        now = self._clock.now_ms()
        row = run_of_job(job, trigger=Trigger.CRON, now=now, scheduled_for=instant)
        skipped = replace(row, status=RunStatus.SKIPPED, error=reason, finished_at=now)
        if await self._store.runs.add(skipped):
            log.warning("Job %s was skipped: %s", job.id, reason)

    async def _advance(self, job: Job, following: int | None) -> None:
        assert job.next_fire_at is not None
        await self._store.jobs.advance(job.id, seen=job.next_fire_at, next_fire_at=following)

    async def _next_look(self) -> int:
        """Return the next due instant, or the next whole minute if that is earlier.

        Cron knows whole minutes only, so a job that was changed meanwhile is never late.
        """
        minute = (self._clock.now_ms() // MINUTE_MS + 1) * MINUTE_MS
        due = await self._store.jobs.next_due_at()
        return minute if due is None else min(due, minute)

    async def _sleep_until(self, instant: int) -> None:
        async with anyio.create_task_group() as tasks:

            async def sleep() -> None:
                await self._clock.sleep_until(instant)
                tasks.cancel_scope.cancel()

            tasks.start_soon(sleep)
            await self._wake.wait()
            tasks.cancel_scope.cancel()


def _missed_sentence(missed: Missed) -> str:
    if missed.count == 1:
        return "This instant was missed while the gateway did not run."
    more = " or more" if missed.count == MAX_COUNTED else ""
    return (
        f"This instant and those after it, {missed.count}{more} together,"
        " were missed while the gateway did not run."
    )
