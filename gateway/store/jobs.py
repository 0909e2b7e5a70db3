"""Stored jobs and their next due instants."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select, update

from gateway.domain.job import Job
from gateway.domain.notice import Notice
from gateway.domain.run import Run
from gateway.store.database import Database
from gateway.store.notices import NoticeTable, insert_notice
from gateway.store.record import Record
from gateway.store.runs import insert_once
from gateway.store.schema import jobs

JOB = Record(Job, jobs)
KEPT = ("id", "created_at", "failures")
"""Of a job that is changed."""


class JobTable:
    """Statements on `jobs`."""

    def __init__(self, database: Database, notices: NoticeTable) -> None:
        self._db = database
        self._notices = notices

    async def add(self, job: Job) -> None:
        """Store a new job."""
        await self._db.change(jobs.insert().values(JOB.values(job)))

    async def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        return JOB.maybe(await self._db.one(select(*JOB.columns).where(jobs.c.id == job_id)))

    async def all(self) -> tuple[Job, ...]:
        """Return every job, oldest first."""
        statement = select(*JOB.columns).order_by(jobs.c.created_at, jobs.c.id)
        return JOB.all(await self._db.all(statement))

    async def update(self, old: Job, new: Job) -> bool:
        """Replace what a person may change but not the next instant, if the job is still `old`.

        That belongs to the scheduler, which may be moving it now. False: the job was changed,
        paused or deleted meanwhile.
        """
        return await self._store(old, JOB.values(new, without=(*KEPT, "next_fire_at")))

    async def reschedule(self, old: Job, new: Job) -> bool:
        """The same with the next instant; False also when the scheduler has moved that since.

        An instant that is due is to be accounted for first: none is ever heard of again from here.
        """
        return await self._store(old, JOB.values(new, without=KEPT), _unmoved(old))

    async def pause(self, job: Job, until: int, *, next_fire_at: int | None) -> bool:
        """Have a job not be due before `until`, if it is still `job`, its next instant included.

        As for `reschedule`, that must not be due.
        """
        values = {"paused_until": until, "next_fire_at": next_fire_at}
        return await self._store(job, values, _unmoved(job))

    async def delete(self, job_id: str) -> bool:
        """Delete the job, its runs and their messages, and let no other job lead to it.

        False when there is no such job.
        """
        unchained = update(jobs).values(
            on_success=func.nullif(jobs.c.on_success, job_id),
            on_failure=func.nullif(jobs.c.on_failure, job_id),
        )
        leading = unchained.where(or_(jobs.c.on_success == job_id, jobs.c.on_failure == job_id))
        return await self._db.change_together(delete(jobs).where(jobs.c.id == job_id), [leading])

    async def due(self, now_ms: int) -> tuple[Job, ...]:
        """Return enabled jobs whose next instant has come, the longest due first."""
        statement = (
            select(*JOB.columns)
            .where(jobs.c.enabled, jobs.c.next_fire_at <= now_ms)
            .order_by(jobs.c.next_fire_at, jobs.c.id)
        )
        return JOB.all(await self._db.all(statement))

    async def next_due_at(self) -> int | None:
        """Return the earliest next instant of all enabled jobs, or None."""
        statement = select(func.min(jobs.c.next_fire_at).label("at")).where(jobs.c.enabled)
        row = await self._db.one(statement)
        return None if row is None else row["at"]

    async def next_due(self, limit: int) -> tuple[Job, ...]:
        """Return the enabled jobs that have a next instant, the earliest first."""
        statement = (
            select(*JOB.columns)
            .where(jobs.c.enabled, jobs.c.next_fire_at.is_not(None))
            .order_by(jobs.c.next_fire_at, jobs.c.id)
        )
        return JOB.all(await self._db.all(statement.limit(limit)))

    async def unscheduled(self, limit: int) -> tuple[Job, ...]:
        """Return enabled jobs whose schedule could not be read when their next instant was due."""
        broken = (jobs.c.enabled, jobs.c.cron.is_not(None), jobs.c.next_fire_at.is_(None))
        statement = select(*JOB.columns).where(*broken).order_by(jobs.c.created_at, jobs.c.id)
        return JOB.all(await self._db.all(statement.limit(limit)))

    async def advance(
        self,
        job: Job,
        next_fire_at: int | None,
        *,
        rows: Iterable[Run] = (),
        notices: Sequence[Notice] = (),
    ) -> bool:
        """Move the next instant and store the rows of what was due, and the notices.

        False: it was moved, or the job was changed, by someone else meanwhile, and nothing is
        stored. A run whose instant the job has already is left as it is.
        """
        move = update(jobs).where(*_unchanged(job), _unmoved(job)).values(next_fire_at=next_fire_at)
        others = [insert_once(self._db, run) for run in rows]
        moved = await self._db.change_together(move, [*others, *map(insert_notice, notices)])
        if notices:
            self._notices.ring()
        return moved

    async def _store(
        self, old: Job, values: Mapping[str, object], *conditions: ColumnElement[bool]
    ) -> bool:
        statement = update(jobs).where(*_unchanged(old), *conditions).values(values)
        return await self._db.change(statement) == 1


def _unchanged(job: Job) -> tuple[ColumnElement[bool], ...]:
    """Return what holds while a stored job is the one that was read, but for its next instant."""
    return (
        jobs.c.id == job.id,
        jobs.c.updated_at == job.updated_at,
        # A pause by a spent budget leaves `updated_at` as it is.
        jobs.c.paused_until.is_not_distinct_from(job.paused_until),
    )


def _unmoved(job: Job) -> ColumnElement[bool]:
    return jobs.c.next_fire_at.is_not_distinct_from(job.next_fire_at)
