"""Runs: the queue, the fences around a claimed run, and the transcripts.

A claim counts `attempt` up; every later write names the attempt it belongs to, so that a worker
that was given up for dead changes nothing when it comes back.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Update, case, select, update
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.exc import IntegrityError

from gateway.domain.run import Run, RunMessage, RunResult, RunStatus, Trigger
from gateway.store.database import Database
from gateway.store.errors import UnknownJob
from gateway.store.record import Record
from gateway.store.schema import jobs, run_messages, runs

RUN = Record(Run, runs)
MESSAGE = Record(RunMessage, run_messages)

CLAIMED = (RunStatus.STARTING, RunStatus.RUNNING)
_URGENCY = case(
    {Trigger.QUICK: 0, Trigger.WEBHOOK: 1, Trigger.MANUAL: 2}, value=runs.c.trigger, else_=3
)
INTERRUPTED = "The gateway ended before the run did."


class RunTable:
    """Statements on `runs` and `run_messages`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, run: Run) -> bool:
        """Store a new run; False when (job_id, scheduled_for) is taken. Raises UnknownJob."""
        unless_taken = insert_once(self._db, run).returning(runs.c.id)
        try:
            return bool(await self._db.change_returning(unless_taken))
        except IntegrityError:
            if run.job_id is not None and await self._job_is_gone(run.job_id):
                raise UnknownJob(run.job_id) from None
            raise

    async def get(self, run_id: str) -> Run | None:
        """Return the run, or None."""
        return RUN.maybe(await self._db.one(select(*RUN.columns).where(runs.c.id == run_id)))

    async def list(self, job_id: str | None = None, limit: int = 50) -> tuple[Run, ...]:
        """Return the newest runs, of one job or of all, newest first."""
        statement = select(*RUN.columns).order_by(runs.c.created_at.desc(), runs.c.id.desc())
        if job_id is not None:
            statement = statement.where(runs.c.job_id == job_id)
        return RUN.all(await self._db.all(statement.limit(limit)))

    async def claim(self, run_id: str, now: int) -> Run | None:
        """Take a queued run, durably; None when someone else has it or it is not queued."""
        return await self._claim(runs.c.id == run_id, now)

    async def unfinished(self, job_id: str) -> tuple[Run, ...]:
        """Return the job's runs that are queued or claimed, oldest first."""
        statement = (
            select(*RUN.columns)
            .where(runs.c.job_id == job_id, runs.c.status.in_((RunStatus.QUEUED, *CLAIMED)))
            .order_by(runs.c.created_at, runs.c.id)
        )
        return RUN.all(await self._db.all(statement))

    async def claim_next(self, now: int) -> Run | None:
        """Take the most urgent run, of equals the oldest, durably; None when none is queued."""
        oldest = (
            select(runs.c.id)
            .where(runs.c.status == RunStatus.QUEUED)
            .order_by(_URGENCY, runs.c.created_at, runs.c.id)
            .limit(1)
            # On PostgreSQL two claims would otherwise meet on one row and one come back empty.
            .with_for_update(skip_locked=True)
        )
        return await self._claim(runs.c.id == oldest.scalar_subquery(), now)

    async def set_process(
        self, run_id: str, attempt: int, process_group: int, started_at: float
    ) -> bool:
        """Note the CLI's process group; False when the attempt is no longer the run's."""
        return await self._change_claimed(
            run_id, attempt, process_group=process_group, process_started_at=started_at
        )

    async def mark_running(self, run_id: str, attempt: int) -> bool:
        """Note that the CLI reported its tools; False when the attempt is no longer the run's."""
        statement = _claimed(run_id, attempt).where(runs.c.status == RunStatus.STARTING)
        return await self._db.change(statement.values(status=RunStatus.RUNNING)) == 1

    async def finish(self, run_id: str, attempt: int, result: RunResult, now: int) -> bool:
        """Store how the run ended; False when the attempt is no longer the run's."""
        return await self._change_claimed(
            run_id,
            attempt,
            **asdict(result),
            finished_at=now,
            process_group=None,
            process_started_at=None,
        )

    async def cancel_queued(self, run_id: str, now: int, reason: str) -> bool:
        """Cancel a run that nobody has claimed; False when it is not queued any more."""
        statement = (
            update(runs)
            .where(runs.c.id == run_id, runs.c.status == RunStatus.QUEUED)
            .values(status=RunStatus.CANCELLED, error=reason, finished_at=now)
        )
        return await self._db.change(statement) == 1

    async def interrupt_unfinished(self, now: int) -> tuple[Run, ...]:
        """Mark every claimed run interrupted; return them, oldest first, with their processes."""
        statement = (
            update(runs)
            .where(runs.c.status.in_(CLAIMED))
            .values(status=RunStatus.INTERRUPTED, error=INTERRUPTED, finished_at=now)
            .returning(*RUN.columns)
        )
        interrupted = RUN.all(await self._db.change_returning(statement))
        return tuple(sorted(interrupted, key=lambda run: (run.created_at, run.id)))

    async def append_messages(self, messages: Sequence[RunMessage]) -> None:
        """Add to a transcript; a message that is already there stays as it is."""
        if messages:
            statement = self._db.insert(run_messages).on_conflict_do_nothing()
            await self._db.change(statement, [MESSAGE.values(message) for message in messages])

    async def messages(self, run_id: str) -> tuple[RunMessage, ...]:
        """Return the transcript in order."""
        statement = (
            select(*MESSAGE.columns)
            .where(run_messages.c.run_id == run_id)
            .order_by(run_messages.c.seq)
        )
        return MESSAGE.all(await self._db.all(statement))

    async def _claim(self, which: ColumnElement[bool], now: int) -> Run | None:
        statement = (
            update(runs)
            .where(which, runs.c.status == RunStatus.QUEUED)
            .values(status=RunStatus.STARTING, attempt=runs.c.attempt + 1, started_at=now)
            .returning(*RUN.columns)
        )
        rows = await self._db.change_durably(statement)
        return RUN.read(rows[0]) if rows else None

    async def _change_claimed(self, run_id: str, attempt: int, **values: Any) -> bool:
        return await self._db.change(_claimed(run_id, attempt).values(values)) == 1

    async def _job_is_gone(self, job_id: str) -> bool:
        statement = select(jobs.c.id).where(jobs.c.id == job_id)
        return await self._db.one(statement) is None


def insert_once(database: Database, run: Run) -> Insert:
    """Return the statement that stores a run unless its (job_id, scheduled_for) is taken."""
    statement = database.insert(runs).values(RUN.values(run))
    return statement.on_conflict_do_nothing(index_elements=["job_id", "scheduled_for"])


def _claimed(run_id: str, attempt: int) -> Update:
    return update(runs).where(
        runs.c.id == run_id, runs.c.attempt == attempt, runs.c.status.in_(CLAIMED)
    )
