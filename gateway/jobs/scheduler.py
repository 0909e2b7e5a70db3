"""Turns due instants into runs, each exactly once; one that does not run gets a row that says why.

Rows and the job's next instant are stored in one transaction that only one scheduler can win, and
the instant of a job is unique in the store: a crash at any moment repeats and loses nothing.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import anyio

from gateway.domain.job import Job
from gateway.domain.notice import Notice
from gateway.domain.run import Run, RunStatus, Trigger, run_of_job
from gateway.jobs.calendar import firings, instants_of, making_of, offset_ms, problem_of
from gateway.jobs.clock import Clock, wait_until
from gateway.jobs.errors import InvalidCron, RunFinished, RunNotFound
from gateway.jobs.overlap import Verdict, judge
from gateway.jobs.runner import Runner
from gateway.jobs.ticks import MAX_COUNTED, Missed, Why, due
from gateway.notify import wording
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)

STORE_PAUSE_MS = 5_000
AHEAD_MS = 15_000
"""So long before a tick a CLI is started for it; on a busy machine it needs 10 s."""
LOOKED_AHEAD = 4
"""Jobs that are due next: more than can have a CLI wait, for some have one or may not have one."""
MAX_TAKEN_UP = 1000
"""Jobs without a readable schedule that a start looks at."""
SET_BACK_MS = 24 * 60 * 60_000
"""A clock that is set back by more was wrong before; jobs do not wait until it is there again."""


class Scheduler:
    """Starts the runs of jobs when they are due; `run` goes on until it is cancelled."""

    def __init__(self, store: Store, runner: Runner, clock: Clock) -> None:
        self._store = store
        self._runner = runner
        self._clock = clock
        self._wake = anyio.Event()
        self._latest = 0
        """The latest time at which the jobs were looked at."""

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
                wake_at = await self._store.jobs.next_due_at()
                if wake_at is not None and self._runner.ahead.keeps_waiting:
                    wake_at = await self._look_ahead(wake_at)
            except StoreError as error:
                log.error("Due jobs cannot be read: %s", error)
                wake_at = self._clock.now_ms() + STORE_PAUSE_MS
            await wait_until(self._clock, wake_at, self._wake)

    async def handle_due(self) -> None:
        """Account for every instant that has come, of every job."""
        now = self._clock.now_ms()
        if not self._latest:
            await self._take_up(now)
        if now < self._latest - SET_BACK_MS:
            await self._start_anew(now)
        self._latest = now
        for job in await self._store.jobs.due(now):
            await self._handle(job, now)

    async def settle(self, job: Job, now: int) -> bool:
        """Account for what of a job is due at `now`, before its next instant becomes another one.

        True: something was, and the job is to be read again.
        """
        if not job.enabled or job.next_fire_at is None or job.next_fire_at > now:
            return False
        await self._handle(job, now)
        return True

    async def _look_ahead(self, wake_at: int) -> int:
        """Have a CLI wait for what is due soon; return when to look again, `wake_at` or before."""
        now = self._clock.now_ms()
        for job in await self._store.jobs.next_due(LOOKED_AHEAD):
            assert job.next_fire_at is not None, "it is asked for"
            due_at, begin_at = job.next_fire_at, job.next_fire_at - AHEAD_MS
            if now < begin_at:
                return min(wake_at, begin_at)
            if now < due_at and not await self._store.runs.unfinished(job.id):
                self._runner.ahead.expect(run_of_job(job, trigger=Trigger.CRON, now=now), due_at)
        return wake_at

    async def _take_up(self, now: int) -> None:
        """Schedule jobs again whose schedule could not be read before, by an earlier gateway."""
        for job in await self._store.jobs.unscheduled(MAX_TAKEN_UP):
            if problem_of(job) is None:
                await self._advance(job, next(firings(job, now), None))
                log.info("Job %s is scheduled again", job.id)

    async def _give_up(self, job: Job, error: InvalidCron, now: int) -> None:
        log.error("Job %s is not scheduled any more: %s", job.id, error)
        notice = wording.job_unscheduled(job, str(error), now)
        await self._advance(job, None, notices=[notice])

    async def _start_anew(self, now: int) -> None:
        """Give jobs their next instant after `now`; what has run by then does not run again."""
        log.warning("The clock was set back by more than a day; jobs are scheduled anew")
        for job in await self._store.jobs.all():
            if job.next_fire_at is None:
                continue
            try:
                await self._advance(job, next(firings(job, now), None))
            except InvalidCron as error:
                await self._give_up(job, error, now)

    async def _handle(self, job: Job, now: int) -> None:
        try:
            await self._account(job, now)
        except InvalidCron as error:
            await self._give_up(job, error, now)

    async def _account(self, job: Job, now: int) -> None:
        assert job.next_fire_at is not None
        offset = offset_ms(job)
        found = due(
            instants_of(job),
            seen=job.next_fire_at - offset,
            now=now - offset,
            making=making_of(job),
        )
        unfinished = await self._store.runs.unfinished(job.id) if found.fire else ()
        verdict = judge(job.overlap, unfinished, found.fire)
        skipped = _skipped(job, found.missed, verdict, now)
        rows = [*skipped, *map(self._runner.ahead.named, _queued(job, verdict, now))]
        following = None if found.following is None else found.following + offset
        notices = [wording.missed(job.name, row, now) for row in rows if _is_skipped(row)]
        with self._runner.ahead.storing(rows):
            is_current = await self._advance(job, following, rows, notices)
        if is_current:
            self._tell(job, rows)
            await self._cancel(verdict.cancel)
        else:
            for row in rows:
                self._runner.ahead.unnamed(row.id)

    async def _advance(
        self,
        job: Job,
        following: int | None,
        rows: Iterable[Run] = (),
        notices: Sequence[Notice] = (),
    ) -> bool:
        """Move a job's next instant; False when the job was changed or deleted meanwhile."""
        return await self._store.jobs.advance(job, following, rows=rows, notices=notices)

    def _tell(self, job: Job, rows: Iterable[Run]) -> None:
        for row in rows:
            if _is_skipped(row):
                log.warning("Job %s was skipped: %s", job.id, row.error)
        self._runner.wake()

    async def _cancel(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            try:
                await self._runner.stop(run_id, "Ended because the job's next run was due.")
            except (RunFinished, RunNotFound):
                log.info("Run %s ended before the next one was due", run_id)


def _is_skipped(row: Run) -> bool:
    return row.status is RunStatus.SKIPPED


def _queued(job: Job, verdict: Verdict, now: int) -> Iterator[Run]:
    for instant in verdict.queue:
        yield run_of_job(job, trigger=Trigger.CRON, now=now, scheduled_for=instant)


def _skipped(job: Job, missed: Missed | None, verdict: Verdict, now: int) -> Iterator[Run]:
    if missed:
        row = _row(job, missed.first, _missed_sentence(job, missed), now)
        yield row if missed.count == 1 else replace(row, scheduled_until=missed.last)
    for instant in verdict.skip:
        yield _row(job, instant, verdict.reason, now)


def _row(job: Job, instant: int, reason: str, now: int) -> Run:
    run = run_of_job(job, trigger=Trigger.CRON, now=now, scheduled_for=instant)
    return replace(run, status=RunStatus.SKIPPED, error=reason, finished_at=now)


def _missed_sentence(job: Job, missed: Missed) -> str:
    what = "This instant was"
    if missed.count > 1:
        more = " or more" if missed.count == MAX_COUNTED else ""
        what = f"This instant and those after it, {missed.count}{more} together, were"
    why = {
        Why.NONE_WANTED: "the job makes up for none",
        Why.TOO_LATE: f"the job's grace is {job.grace_s:g} s",
        Why.NEWER_RUN: "what came after is made up for",
    }[missed.why]
    return f"{what} missed while the gateway did not run; {why}."
