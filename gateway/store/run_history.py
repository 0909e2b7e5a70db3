"""Runs in the order in which they were made, a page at a time."""

from sqlalchemy import select, tuple_

from gateway.domain.run import Run, RunWish
from gateway.store.database import Database
from gateway.store.runs import RUN
from gateway.store.schema import runs


class RunHistoryTable:
    """Statements on `runs` that read many of them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def page(self, wish: RunWish) -> tuple[Run, ...]:
        """Return the runs that somebody wants, oldest first."""
        own = runs.c
        statement = select(*RUN.columns).order_by(own.created_at, own.id).limit(wish.limit)
        if wish.since is not None:
            statement = statement.where(own.created_at >= wish.since)
        if wish.until is not None:
            statement = statement.where(own.created_at < wish.until)
        if wish.job_id is not None:
            statement = statement.where(own.job_id == wish.job_id)
        if wish.after is not None:
            statement = statement.where(tuple_(own.created_at, own.id) > tuple_(*wish.after))
        return RUN.all(await self._db.all(statement))
