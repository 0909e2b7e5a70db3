"""Runs statements in transactions, mostly one in each, on SQLite or PostgreSQL. Knows no table.

SQLite has one writer connection that begins IMMEDIATE and a few read-only ones; PostgreSQL has one
pool for both. A transaction that has begun is finished even when its caller is cancelled.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias, TypeVar, cast

import anyio
from sqlalchemy import Dialect, Executable, Result, Select, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    TimeoutError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store.errors import StoreUnavailable

Row: TypeAlias = Mapping[str, Any]
Plain: TypeAlias = tuple[str | int | None, ...]
T = TypeVar("T")


ROWS_TOGETHER = 250
"""In one INSERT: SQLite's driver takes and gives back Python's lock for each statement, and gets it
from a busy event loop only after a while."""


@contextmanager
def unavailable_as_error(place: str) -> Generator[None]:
    """Turn the driver's failures (locked, full, unreachable, not a database) into one sentence."""
    try:
        yield
    except (IntegrityError, DataError, ProgrammingError):
        raise
    except (DatabaseError, InterfaceError) as error:
        reason = str(error.orig).partition("\n")[0].rstrip(". ")
        raise StoreUnavailable(place, reason) from error
    except TimeoutError as error:
        raise StoreUnavailable(place, "all its connections are busy") from error


class Database:
    """Two ways into the same data: `reader` sees what `writer` committed."""

    def __init__(self, *, place: str, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._place = place
        self._writer = writer
        self._durable_writer = writer.execution_options(synchronous="FULL")
        self._reader = reader

    @property
    def shared(self) -> bool:
        """True of PostgreSQL, which several gateways may use at a time."""
        return self._writer.dialect.name == "postgresql"

    def insert(self, table: Table) -> sqlite.Insert:
        """Return an INSERT that can say ON CONFLICT in this database's dialect."""
        if self.shared:
            # The two classes share the calls used here, but no base that has them.
            return cast("sqlite.Insert", postgresql.insert(table))
        return sqlite.insert(table)

    async def one(self, statement: Executable) -> Row | None:
        """Return the only row, or None."""
        rows = await self.all(statement)
        assert len(rows) <= 1, "a statement for one row selects by a unique key"
        return rows[0] if rows else None

    async def all(self, statement: Executable) -> Sequence[Row]:
        """Return every row."""

        async def work() -> Sequence[Row]:
            async with self._reader.connect() as connection:
                return rows_of(await connection.execute(statement))

        return await self._to_its_end(work())

    async def change(self, statement: Executable, rows: Sequence[Row] | None = None) -> int:
        """Commit one writing statement, once per item of `rows`.

        Returns how many rows an UPDATE or DELETE met; of an INSERT the count means nothing.
        """

        async def work() -> int:
            async with self._writer.begin() as connection:
                return (await connection.execute(statement, rows)).rowcount

        return await self._to_its_end(work())

    async def insert_many(
        self, table: Table, columns: Sequence[str], rows: Sequence[Plain]
    ) -> None:
        """Commit rows of values that the driver takes as they are, in the order of `columns`.

        No column type converts anything: that costs three times what the database does.
        """
        order, sql = _compiled(table, tuple(columns), self._writer.dialect)
        if order is None:
            together: Any = [dict(zip(columns, row, strict=True)) for row in rows]
            statements = [(sql, together)]
        else:
            assert order == list(columns), "an INSERT names its columns in the order of the keys"
            statements = list(_grouped(sql, rows))

        async def work() -> None:
            async with self._writer.begin() as connection:
                for statement, parameters in statements:
                    await connection.exec_driver_sql(statement, parameters)

        await self._to_its_end(work())

    async def change_while(
        self, holds: Select[Any], statement: Executable, rows: Sequence[Row]
    ) -> bool:
        """Commit a statement once per item of `rows` while `holds` finds a row, and keep it so.

        False when it finds none: nothing is changed.
        """

        async def work() -> bool:
            async with self._writer.begin() as connection:
                found = await connection.execute(holds.with_for_update(read=True))
                if found.first() is None:
                    return False
                await connection.execute(statement, rows)
                return True

        return await self._to_its_end(work())

    async def change_together(self, first: Executable, others: Iterable[Executable]) -> bool:
        """Commit `first` and all `others`; False when `first` meets no row: nothing is changed."""

        async def work() -> bool:
            async with self._writer.begin() as connection:
                if (await connection.execute(first)).rowcount == 0:
                    return False
                for statement in others:
                    await connection.execute(statement)
                return True

        return await self._to_its_end(work())

    async def change_returning(self, statement: Executable) -> Sequence[Row]:
        """Commit one statement that has RETURNING; return its rows."""
        return await self._returning(self._writer, statement)

    async def change_durably(self, statement: Executable) -> Sequence[Row]:
        """Commit one statement that has RETURNING; its rows are on the disk when this returns."""
        return await self._returning(self._durable_writer, statement)

    async def transact(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        committed: Callable[[], None] = lambda: None,
    ) -> T:
        """Commit all that `work` does, or nothing of it, and have it on the disk.

        `committed` is called before anybody else's turn, also when the caller was cancelled.
        """

        async def act() -> T:
            async with self._durable_writer.begin() as connection:
                done = await work(connection)
            committed()
            return done

        return await self._to_its_end(act())

    @asynccontextmanager
    async def only_here(self, number: int) -> AsyncGenerator[bool]:
        """Yield whether no other process is in such a body with this number, until it ends."""
        if not self.shared:
            yield True
            return
        with unavailable_as_error(self._place):
            async with self._reader.connect() as connection:
                taken = await connection.scalar(select(func.pg_try_advisory_lock(number)))
                try:
                    yield bool(taken)
                except BaseException:
                    # The lock is the connection's: it ends with it, also where nobody can say so.
                    with anyio.CancelScope(shield=True):
                        await connection.invalidate()
                    raise
                if taken:
                    await connection.execute(select(func.pg_advisory_unlock(number)))

    async def _returning(self, engine: AsyncEngine, statement: Executable) -> Sequence[Row]:
        async def work() -> Sequence[Row]:
            async with engine.begin() as connection:
                return rows_of(await connection.execute(statement))

        return await self._to_its_end(work())

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a transaction returns; a caller that is cancelled waits for its end first.

        A task of its own, because an anyio shield does not stop the cancellation of a raw
        asyncio task, which is how Quart and Hypercorn cancel.
        """
        task = asyncio.ensure_future(work)
        cancelled: asyncio.CancelledError | None = None
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.wait((task,))
                except asyncio.CancelledError as error:
                    cancelled = error
        if cancelled is not None:
            # Read, so that asyncio does not report it as never retrieved.
            task.exception()
            raise cancelled
        with unavailable_as_error(self._place):
            return task.result()


def rows_of(result: Result[Any]) -> Sequence[Row]:
    """Return every row of an answer by column names."""
    # Keys are column names here; SQLAlchemy's type also allows columns as keys.
    return cast("Sequence[Row]", result.mappings().all())


@lru_cache(maxsize=16)
def _compiled(
    table: Table, columns: tuple[str, ...], dialect: Dialect
) -> tuple[list[str] | None, str]:
    """Return the order of the values, None where they go by name, and the INSERT of one row."""
    compiled = table.insert().compile(dialect=dialect, column_keys=columns)
    return compiled.positiontup, str(compiled)


def _grouped(sql: str, rows: Sequence[Plain]) -> Iterator[tuple[str, Any]]:
    """Yield an INSERT of one row as one of many rows for each full group, and itself for the rest.

    One of many is the same text for every group, so that SQLite reads it once.
    """
    head, values, one = sql.rpartition(" VALUES ")
    many = head + values + ", ".join([one] * ROWS_TOGETHER)
    full = len(rows) - len(rows) % ROWS_TOGETHER
    for start in range(0, full, ROWS_TOGETHER):
        yield many, tuple(chain.from_iterable(rows[start : start + ROWS_TOGETHER]))
    if full < len(rows):
        yield sql, rows[full:]
