"""Removes what is not kept any more, a few rows in each transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, func, or_, select

from gateway.domain.notice import NoticeState
from gateway.domain.run import RunStatus
from gateway.store.database import Database
from gateway.store.schema import notices, runs, tokens

UNFINISHED = tuple(status for status in RunStatus if not status.final)
SETTLED = (NoticeState.TOLD, NoticeState.SUMMARISED, NoticeState.RESTORED)


class RetentionTable:
    """Statements that delete rows of several tables; each removes one batch."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def remove_runs(self, *, older_than: int, keep: int, spare_since: int, batch: int) -> int:
        """Remove ended runs with all that belongs to them, the oldest first; return how many.

        Those from before `older_than`, and all but the newest `keep`. Never the newest of a job,
        nor one of a job that was made or due after `spare_since`.
        """
        ran = (runs.c.status.not_in((*UNFINISHED, RunStatus.SKIPPED)),)
        spared = _is_newest_of_its_job()
        return await self._remove_runs(ran, spared, older_than, keep, spare_since, batch)

    async def remove_skipped(
        self, *, older_than: int, keep: int, spare_since: int, batch: int
    ) -> int:
        """Remove rows of due times that did not run, as `remove_runs` does."""
        skipped = (runs.c.status == RunStatus.SKIPPED,)
        return await self._remove_runs(skipped, None, older_than, keep, spare_since, batch)

    async def remove_notices(self, *, older_than: int, keep: int, batch: int) -> int:
        """Remove notices that were told, with their sendings; return how many.

        Those from before `older_than`, and all but the newest `keep`.
        """
        settled = notices.c.state.in_(SETTLED)
        since = max(older_than, await self._oldest(notices, notices.c.at, (settled,), keep))
        old = notices.c.at < since
        ids = select(notices.c.id).where(settled, old).order_by(notices.c.at).limit(batch)
        return await self._db.change(delete(notices).where(notices.c.id.in_(ids)))

    async def remove_tokens(self, *, ended_before: int, batch: int) -> int:
        """Remove tokens that were revoked or expired before an instant; return how many."""
        ended = or_(tokens.c.revoked_at < ended_before, tokens.c.expires_at < ended_before)
        ids = select(tokens.c.id).where(ended).limit(batch)
        return await self._db.change(delete(tokens).where(tokens.c.id.in_(ids)))

    async def _remove_runs(
        self,
        which: Sequence[ColumnElement[bool]],
        spared: ColumnElement[bool] | None,
        older_than: int,
        keep: int,
        spare_since: int,
        batch: int,
    ) -> int:
        at = func.coalesce(runs.c.finished_at, runs.c.created_at)
        oldest_kept = await self._oldest(runs, runs.c.created_at, which, keep)
        old = or_(at < older_than, runs.c.created_at < oldest_kept)
        due = func.coalesce(runs.c.scheduled_for, runs.c.created_at)
        needed = and_(runs.c.job_id.is_not(None), or_(due > spare_since, at > spare_since))
        conditions = [*which, old, ~needed, *(() if spared is None else (~spared,))]
        oldest = select(runs.c.id).where(*conditions).order_by(runs.c.created_at).limit(batch)
        return await self._db.change(delete(runs).where(runs.c.id.in_(oldest)))

    async def _oldest(
        self, table: Table, at: Any, which: Sequence[ColumnElement[bool]], keep: int
    ) -> int:
        """Return when the oldest of the newest `keep` rows was made; 0: there are fewer."""
        statement: Select[Any] = select(at.label("at")).select_from(table).where(*which)
        row = await self._db.one(statement.order_by(at.desc()).offset(keep - 1).limit(1))
        return 0 if row is None else row["at"]


def _is_newest_of_its_job() -> ColumnElement[bool]:
    later = runs.alias("later")
    ran = later.c.status.not_in((*UNFINISHED, RunStatus.SKIPPED))
    newer = exists().where(
        later.c.job_id == runs.c.job_id, ran, later.c.created_at > runs.c.created_at
    )
    return and_(runs.c.job_id.is_not(None), ~newer)
