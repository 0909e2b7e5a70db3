"""Runs one statement per transaction, on SQLite or PostgreSQL. Knows no table.

SQLite has one writer connection that begins IMMEDIATE and a few read-only ones; PostgreSQL has one
pool for both. A transaction that has begun is finished even when its caller is cancelled.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import anyio
from sqlalchemy import Executable, Result, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    TimeoutError,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.errors import StoreUnavailable

Row: TypeAlias = Mapping[str, Any]


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

    def insert(self, table: Table) -> sqlite.Insert:
        """Return an INSERT that can say ON CONFLICT in this database's dialect."""
        if self._writer.dialect.name == "postgresql":
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
        with self._unbroken():
            async with self._reader.connect() as connection:
                return _rows(await connection.execute(statement))

    async def change(self, statement: Executable, rows: Sequence[Row] | None = None) -> int:
        """Commit one writing statement, once per item of `rows`.

        Returns how many rows an UPDATE or DELETE met; of an INSERT the count means nothing.
        """
        with self._unbroken():
            async with self._writer.begin() as connection:
                return (await connection.execute(statement, rows)).rowcount

    async def change_returning(self, statement: Executable) -> Sequence[Row]:
        """Commit one statement that has RETURNING; return its rows."""
        return await self._returning(self._writer, statement)

    async def change_durably(self, statement: Executable) -> Sequence[Row]:
        """Commit one statement that has RETURNING; its rows are on the disk when this returns."""
        return await self._returning(self._durable_writer, statement)

    @contextmanager
    def _unbroken(self) -> Generator[None]:
        with unavailable_as_error(self._place), anyio.CancelScope(shield=True):
            yield

    async def _returning(self, engine: AsyncEngine, statement: Executable) -> Sequence[Row]:
        with self._unbroken():
            async with engine.begin() as connection:
                return _rows(await connection.execute(statement))


def _rows(result: Result[Any]) -> Sequence[Row]:
    # Keys are column names here; SQLAlchemy's type also allows columns as keys.
    return cast("Sequence[Row]", result.mappings().all())
