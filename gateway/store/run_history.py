"""Runs in the order in which they were made, a page at a time."""

from typing import Any

from sqlalchemy import ColumnElement, Select, literal, null, select, tuple_

from gateway.domain.run import Run, RunWish
from gateway.store.database import Database
from gateway.store.runs import RUN
from gateway.store.schema import runs

TEXTS = {"prompt": literal(""), "output": null(), "structured": null(), "system_prompt": null()}
"""What a list shows nothing of, and may be megabytes."""
LIGHT: tuple[ColumnElement[Any], ...] = tuple(
    TEXTS[column.name].label(column.name) if column.name in TEXTS else column
    for column in RUN.columns
)


class RunHistoryTable:
    """Statements on `runs` that read many of them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def page(self, wish: RunWish) -> tuple[Run, ...]:
        """Return the runs that somebody wants, oldest first."""
        own = runs.c
        statement = _wanted(select(*RUN.columns), wish).order_by(own.created_at, own.id)
        if wish.after is not None:
            statement = statement.where(tuple_(own.created_at, own.id) > tuple_(*wish.after))
        return RUN.all(await self._db.all(statement))

    async def newest(self, wish: RunWish) -> tuple[Run, ...]:
        """Return the runs that somebody wants, newest first, without prompts and answers."""
        return RUN.all(await self._db.all(select_newest(wish)))


def select_newest(wish: RunWish) -> Select[Any]:
    """Return the statement for a page, for which each filter, also with a status, has an index."""
    own = runs.c
    statement = _wanted(select(*LIGHT), wish).order_by(own.created_at.desc(), own.id.desc())
    if wish.after is None:
        return statement
    # Said twice, for SQLite takes only the first for a bound of the index.
    place = tuple_(own.created_at, own.id) < tuple_(*wish.after)
    return statement.where(own.created_at <= wish.after[0], place)


def _wanted(columns: Select[Any], wish: RunWish) -> Select[Any]:
    own, statement = runs.c, columns.limit(wish.limit)
    if wish.since is not None:
        statement = statement.where(own.created_at >= wish.since)
    if wish.until is not None:
        statement = statement.where(own.created_at < wish.until)
    if wish.job_id is not None:
        statement = statement.where(own.job_id == wish.job_id)
    if wish.webhook_id is not None:
        statement = statement.where(own.webhook_id == wish.webhook_id)
    if wish.status is not None:
        statement = statement.where(own.status == wish.status)
    return statement
