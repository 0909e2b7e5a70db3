"""Stored jobs and their next due instants."""

from collections.abc import Iterable

from sqlalchemy import delete, func, or_, select, update

from gateway.domain.job import Job
from gateway.domain.run import Run
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.runs import insert_once
from gateway.store.schema import jobs

JOB = Record(Job, jobs)


class JobTable:
    """Statements on `jobs`."""

    def __init__(self, database: Database) -> None:
        self._db = database

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

    async def update(self, job: Job) -> bool:
        """Replace everything but id, created_at and next_fire_at; False: there is no such job.

        The next instant belongs to the scheduler, which may be moving it now.
        """
        return await self._replace(job, "id", "created_at", "next_fire_at")

    async def reschedule(self, job: Job) -> bool:
        """Replace everything but id and created_at; False when there is no such job."""
        return await self._replace(job, "id", "created_at")

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

    async def advance(
        self, job_id: str, *, seen: int, next_fire_at: int | None, rows: Iterable[Run] = ()
    ) -> bool:
        """Move the next instant from `seen` and store the runs and rows of what was due, together.

        False: it was moved by someone else meanwhile, and nothing is stored. A run whose instant
        the job has already is left as it is.
        """
        move = (
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.next_fire_at == seen)
            .values(next_fire_at=next_fire_at)
        )
        return await self._db.change_together(move, (insert_once(self._db, run) for run in rows))

    async def _replace(self, job: Job, *kept: str) -> bool:
        values = JOB.values(job, without=kept)
        return await self._db.change(update(jobs).where(jobs.c.id == job.id).values(values)) == 1
