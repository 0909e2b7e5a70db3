"""Runs: the queue, the fences around a claimed run, and the transcripts.

A claim counts `attempt` up; every later write names the attempt it belongs to, so that a worker
that was given up for dead changes nothing when it comes back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, case, func, select, update
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.budget import DayLimits
from gateway.domain.notice import Notice
from gateway.domain.run import Run, RunMessage, RunResult, RunStatus, Trigger
from gateway.store.affordable import CLAIMED
from gateway.store.claiming import Which, claim_in_turn, claiming, has_room, startable
from gateway.store.database import Database, rows_of
from gateway.store.errors import UnknownJob
from gateway.store.failures import Tell, count_failures
from gateway.store.notices import NoticeTable, insert_notice
from gateway.store.record import Record
from gateway.store.schema import jobs, run_messages, runs

RUN = Record(Run, runs)
MESSAGE = Record(RunMessage, run_messages)


class RunTable:
    """Statements on `runs` and `run_messages`."""

    def __init__(self, database: Database, notices: NoticeTable) -> None:
        self._db = database
        self._notices = notices

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

    async def of_trigger(self, trigger: Trigger, limit: int) -> tuple[Run, ...]:
        """Return the newest runs that something of this kind started, newest first."""
        # Naming every status lets the index of the queue answer, which has the triggers.
        statement = (
            select(*RUN.columns)
            .where(runs.c.status.in_(tuple(RunStatus)), runs.c.trigger == trigger)
            .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        )
        return RUN.all(await self._db.all(statement.limit(limit)))

    async def live(self, limit: int) -> tuple[Run, ...]:
        """Return the runs that are claimed and not ended, newest first."""
        statement = (
            select(*RUN.columns)
            .where(runs.c.status.in_(CLAIMED))
            .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        )
        return RUN.all(await self._db.all(statement.limit(limit)))

    async def count_queued(self, most: int) -> int:
        """Return how many runs wait for their turn, counted no further than `most`."""
        some = select(runs.c.id).where(runs.c.status == RunStatus.QUEUED).limit(most).subquery()
        row = await self._db.one(select(func.count().label("queued")).select_from(some))
        assert row is not None, "an aggregate without groups is one row"
        return int(row["queued"])

    async def newest_of_jobs(self) -> Mapping[str, Run]:
        """Return the newest run of each job that was not skipped, by the job's id."""
        newest = (
            select(runs.c.id)
            .where(runs.c.job_id == jobs.c.id, runs.c.status != RunStatus.SKIPPED)
            .order_by(runs.c.created_at.desc(), runs.c.id.desc())
            .limit(1)
            .correlate(jobs)
            .scalar_subquery()
        )
        statement = select(*RUN.columns).join(jobs, runs.c.id == newest)
        found = RUN.all(await self._db.all(statement))
        return {run.job_id: run for run in found if run.job_id is not None}

    async def claim(self, run_id: str, now: int, *, node: str | None = None) -> Run | None:
        """Take a queued run, durably; None when someone else has it or it is not queued.

        `node`: who takes it.
        """

        def this(full: Collection[str]) -> ColumnElement[bool]:
            return (runs.c.id == run_id) & has_room(full)

        return await self._claim(this, now, node)

    async def unfinished(self, job_id: str) -> tuple[Run, ...]:
        """Return the job's runs that are queued or claimed, oldest first."""
        statement = (
            select(*RUN.columns)
            .where(runs.c.job_id == job_id, runs.c.status.in_((RunStatus.QUEUED, *CLAIMED)))
            .order_by(runs.c.created_at, runs.c.id)
        )
        return RUN.all(await self._db.all(statement))

    async def claim_next(
        self,
        now: int,
        *,
        without_jobs: Collection[str] = (),
        within: DayLimits | None = None,
        node: str | None = None,
    ) -> Run | None:
        """Take the most urgent run, of equals the oldest, durably; None when none may start.

        `without_jobs`: jobs that have as many live runs as they may. `within`: budgets of the day.
        `node`: who takes it.
        """

        def oldest(full: Collection[str]) -> ColumnElement[bool]:
            excluded = {*without_jobs, *full}
            first = startable(select(runs.c.id), now, excluded, within, node).limit(1)
            # On PostgreSQL two claims would otherwise meet on one row and one come back empty.
            return runs.c.id == first.with_for_update(skip_locked=True).scalar_subquery()

        return await self._claim(oldest, now, node)

    async def waiting(
        self,
        now: int,
        *,
        without_jobs: Collection[str] = (),
        within: DayLimits | None = None,
        node: str | None = None,
        limit: int,
    ) -> tuple[Run, ...]:
        """Return the runs that `claim_next` would take, in its order."""
        statement = startable(select(*RUN.columns), now, without_jobs, within, node).limit(limit)
        return RUN.all(await self._db.all(statement))

    async def expire(
        self, now: int, reason: str, tell: Callable[[Run], Notice] | None = None
    ) -> tuple[str, ...]:
        """End the queued runs whose time to start is over; return their ids.

        `tell` makes the notice of each, which is stored with it.
        """
        statement = (
            update(runs)
            .where(runs.c.status == RunStatus.QUEUED, runs.c.expires_at <= now)
            .values(status=RunStatus.EXPIRED, error=reason, finished_at=now)
            .returning(*RUN.columns)
        )

        async def work(connection: AsyncConnection) -> tuple[str, ...]:
            ended = RUN.all(rows_of(await connection.execute(statement)))
            if tell is not None:
                for notice in map(tell, ended):
                    await connection.execute(insert_notice(notice))
            return tuple(run.id for run in ended)

        ended = await self._db.transact(work)
        if ended:
            self._notices.ring()
        return ended

    async def next_change_at(self, now: int) -> int | None:
        """Return when the next queued run expires or has waited long enough, or None."""
        later = case((runs.c.not_before > now, runs.c.not_before))
        statement = select(
            func.min(runs.c.expires_at).label("expires"), func.min(later).label("begins")
        ).where(runs.c.status == RunStatus.QUEUED)
        row = await self._db.one(statement)
        assert row is not None, "an aggregate without groups is one row"
        return min((at for at in (row["expires"], row["begins"]) if at is not None), default=None)

    async def requeue(
        self, run_id: str, attempt: int, result: RunResult, *, not_before: int
    ) -> bool:
        """Let a claimed run wait to begin again, with what it used so far and why in `error`.

        False when the attempt is no longer the run's, or somebody wants it to end. The time by
        which it had to start is over.
        """
        statement = (
            _claimed(run_id, attempt)
            .where(runs.c.stop_asked.is_(None))
            .values(
                **{**asdict(result), "status": RunStatus.QUEUED, "output": None},
                not_before=not_before,
                expires_at=None,
                process_group=None,
                process_started_at=None,
            )
        )
        return await self._db.change(statement) == 1

    async def set_process(
        self, run_id: str, attempt: int, process_group: int, started_at: float
    ) -> bool:
        """Note the CLI's process group; False when the attempt is no longer the run's."""
        return await self._change_claimed(
            run_id, attempt, process_group=process_group, process_started_at=started_at
        )

    async def mark_running(self, run_id: str, attempt: int, session_id: str | None = None) -> bool:
        """Note that the CLI reported its tools; False when the attempt is no longer the run's."""
        statement = _claimed(run_id, attempt).where(runs.c.status == RunStatus.STARTING)
        values = {"status": RunStatus.RUNNING, "session_id": session_id}
        return await self._db.change(statement.values(values)) == 1

    async def finish(
        self,
        run_id: str,
        attempt: int,
        result: RunResult,
        now: int,
        *,
        then: Run | None = None,
        tell: Tell | None = None,
        waiting: bool = False,
    ) -> bool:
        """Store how the run ended, the run that follows, `then`, and the notice that `tell` makes.

        False when the attempt is no longer the run's: nothing is stored. `waiting`: the run is
        queued after that attempt, not claimed. Raises UnknownJob when that of `then` was deleted.
        """
        which = (RunStatus.QUEUED,) if waiting else CLAIMED
        ended = (
            update(runs)
            .where(_is_at(run_id, attempt, which))
            .values(**asdict(result), finished_at=now, process_group=None, process_started_at=None)
        )

        async def work(connection: AsyncConnection) -> bool:
            if (await connection.execute(ended)).rowcount == 0:
                return False
            if then is not None:
                await connection.execute(insert_once(self._db, then))
            if tell is not None:
                await count_failures(connection, run_id, result.status, tell)
            return True

        try:
            stored = await self._db.transact(work)
        except IntegrityError:
            if then is not None and then.job_id and await self._job_is_gone(then.job_id):
                raise UnknownJob(then.job_id) from None
            raise
        self._notices.ring()
        return stored

    async def cancel_queued(self, run_id: str, now: int, reason: str) -> bool:
        """Cancel a run that nobody has claimed; False when it is not queued any more."""
        statement = (
            update(runs)
            .where(runs.c.id == run_id, runs.c.status == RunStatus.QUEUED)
            .values(status=RunStatus.CANCELLED, error=reason, finished_at=now)
        )
        return await self._db.change(statement) == 1

    async def count_messages(self, run_id: str) -> int:
        """Return how many messages the transcript has."""
        statement = select(func.count().label("count")).where(run_messages.c.run_id == run_id)
        row = await self._db.one(statement)
        return row["count"] if row else 0

    async def last_message_at(self, run_id: str) -> int | None:
        """Return when the newest message of the transcript came, or None."""
        statement = select(func.max(run_messages.c.at).label("at"))
        row = await self._db.one(statement.where(run_messages.c.run_id == run_id))
        return row["at"] if row else None

    async def append_messages(
        self, messages: Sequence[RunMessage], attempt: int | None = None
    ) -> None:
        """Add to a run's transcript; a message that is already there stays as it is.

        Nothing is added when `attempt` is no longer the run's: another gateway has it now.
        """
        if not messages:
            return
        statement = self._db.insert(run_messages).on_conflict_do_nothing()
        rows = [MESSAGE.values(message) for message in messages]
        if attempt is None or not self._db.shared:
            await self._db.change(statement, rows)
            return
        own = select(runs.c.id).where(_is_claimed(messages[0].run_id, attempt))
        await self._db.change_while(own, statement, rows)

    async def messages(
        self, run_id: str, *, since: int = 0, limit: int | None = None
    ) -> tuple[RunMessage, ...]:
        """Return the transcript in order, from message `since`, at most `limit` of it."""
        statement = (
            select(*MESSAGE.columns)
            .where(run_messages.c.run_id == run_id, run_messages.c.seq >= since)
            .order_by(run_messages.c.seq)
            .limit(limit)
        )
        return MESSAGE.all(await self._db.all(statement))

    async def _claim(
        self,
        which: Which,
        now: int,
        node: str | None,
    ) -> Run | None:
        """Take the run that `which` names, given the jobs that have no room."""
        if not self._db.shared:
            rows = await self._db.change_durably(claiming(which(()), now, node))
        else:
            rows = await self._db.transact(
                lambda connection: claim_in_turn(connection, which, now, node)
            )
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
    return update(runs).where(_is_claimed(run_id, attempt))


def _is_claimed(run_id: str, attempt: int) -> ColumnElement[bool]:
    return _is_at(run_id, attempt, CLAIMED)


def _is_at(run_id: str, attempt: int, statuses: Collection[RunStatus]) -> ColumnElement[bool]:
    return and_(runs.c.id == run_id, runs.c.attempt == attempt, runs.c.status.in_(statuses))
