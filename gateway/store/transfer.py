"""Moves every row between PostgreSQL and a SQLite file of the newest schema. Blocking."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, func, inspect, select, text

from gateway.store.database import unavailable_as_error
from gateway.store.engines import (
    create_private_file,
    postgres_connecting,
    postgres_place,
    postgres_url,
)
from gateway.store.errors import StoreUnavailable
from gateway.store.fresh import create
from gateway.store.schema import HEAD, metadata, settings
from gateway.store.settings import DEFAULTS

ROWS_AT_ONCE = 50
"""A delivery has up to a megabyte, and a transcript's message too."""
LOCK_TIMEOUT_S = 30
NUMBERED = ("audit", "number")
"""The column whose values PostgreSQL gives from a sequence."""


def export_postgres(url: str, target: Path) -> None:
    """Write what PostgreSQL holds at one instant to a new SQLite file.

    A gateway may run meanwhile.

    Raises:
        UnsupportedDatabase, StoreUnavailable: it cannot be read, or has another schema than ours.
    """
    create_private_file(target)
    engine, place = _postgres(url)
    with (
        unavailable_as_error(place),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as old,
        _sqlite(target).begin() as new,
    ):
        _check(old, place)
        create(new)
        new.execute(settings.delete())
        _copy(old, new)


def holds_rows(url: str) -> bool:
    """Tell whether PostgreSQL holds anything that a first start does not put there.

    Raises UnsupportedDatabase and StoreUnavailable.
    """
    engine, place = _postgres(url)
    with unavailable_as_error(place), engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        _check(connection, place)
        tables = (table for table in metadata.sorted_tables if table is not settings)
        return any(
            connection.execute(select(1).select_from(table).limit(1)).first() for table in tables
        )


@contextmanager
def replacing_postgres(url: str, source: Path) -> Generator[None]:
    """Put the rows of a SQLite file in the place of all in PostgreSQL, once the body has ended.

    Both have the newest schema; when the body fails, nothing was changed. Raises as `holds_rows`.
    """
    engine, place = _postgres(url)
    with unavailable_as_error(place), engine.begin() as new, _sqlite(source).connect() as old:
        _check(new, place)
        _empty(new)
        _copy(old, new)
        _go_on_counting(new)
        yield


@contextmanager
def emptying_postgres(url: str) -> Generator[None]:
    """Leave in PostgreSQL what a first start puts there, once the body has ended.

    Raises as `holds_rows`.
    """
    engine, place = _postgres(url)
    with unavailable_as_error(place), engine.begin() as connection:
        if inspect(connection).has_table("alembic_version"):
            _check(connection, place)
            _empty(connection)
            rows = [{"key": key, "value": value} for key, value in DEFAULTS.items()]
            connection.execute(settings.insert(), rows)
        yield


def _postgres(url: str) -> tuple[Engine, str]:
    address = postgres_url(url)
    engine = create_engine(
        address, poolclass=NullPool, hide_parameters=True, connect_args=postgres_connecting()
    )
    return engine, postgres_place(address)


def _sqlite(path: Path) -> Engine:
    address = URL.create("sqlite", database=str(path))
    return create_engine(address, poolclass=NullPool, hide_parameters=True)


def _check(connection: Connection, place: str) -> None:
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found != HEAD:
        has = f"its schema is {found}" if found else "it has no tables"
        raise StoreUnavailable(place, f"{has} and this release's is {HEAD}; start serve once")


def _empty(connection: Connection) -> None:
    # Somebody else's transaction on the same rows is not waited for without end.
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())


def _copy(old: Connection, new: Connection) -> None:
    """Copy table after table, those that others refer to first."""
    streamed = old.execution_options(yield_per=ROWS_AT_ONCE)
    for table in metadata.sorted_tables:
        for rows in streamed.execute(select(table)).mappings().partitions():
            new.execute(table.insert(), [dict(row) for row in rows])


def _go_on_counting(connection: Connection) -> None:
    """Have the next number be above all that were copied."""
    table, column = NUMBERED
    last = connection.execute(select(func.max(metadata.tables[table].c[column]))).scalar()
    if last is not None:
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table, column), last)))
