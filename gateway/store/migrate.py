"""Brings the schema to `HEAD`, after a copy of a SQLite file that has something to lose."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import anyio
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.engines import create_private_file
from gateway.store.errors import MigrationFailed, SchemaTooNew
from gateway.store.fresh import create
from gateway.store.schema import HEAD


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder of Alembic revisions and the newest of them."""

    folder: Path
    head: str
    create: Callable[[Connection], None] | None = None
    """Makes the schema of `head` where there is none; None: the revisions make it."""


SHIPPED = Migrations(Path(__file__).parent / "migrations", HEAD, create)

KEPT_COPIES = 3
"""Of the database before a migration."""
MIGRATION_LOCK = 0x636C6175_64650001
"""Number of the PostgreSQL advisory lock that lets one process migrate at a time."""


async def is_current(engine: AsyncEngine, *, place: str, migrations: Migrations) -> bool:
    """Return whether nothing is to be migrated. Raises SchemaTooNew."""
    async with engine.connect() as connection:
        found = await connection.run_sync(_revision)
    if found is not None and not _older_or_equal(found, migrations.head):
        raise SchemaTooNew(place, found, migrations.head)
    return found == migrations.head


async def migrate(
    engine: AsyncEngine, *, place: str, file: Path | None, migrations: Migrations
) -> None:
    """Create the schema, or run what is missing, in one transaction. Raises MigrationFailed."""
    copy = await _copy_before(file, migrations.head) if file else None
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_bring, migrations)
    except SQLAlchemyError as error:
        reason = str(error).partition("\n")[0].rstrip(". ")
        raise MigrationFailed(place, reason, copy) from error


def _bring(connection: Connection, migrations: Migrations) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    # Only now, for another process may have created the schema while this one waited.
    found = _revision(connection)
    if found is None and migrations.create is not None:
        migrations.create(connection)
    elif found != migrations.head:
        # Alembic takes half a second to import; only an older database needs it.
        from gateway.store.upgrade import upgrade

        upgrade(connection, migrations.folder)


def _older_or_equal(found: str, head: str) -> bool:
    return found.isdigit() and int(found) <= int(head)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


async def _copy_before(file: Path, head: str) -> Path | None:
    """Copy the database beside itself; return None when it holds nothing yet."""
    copy = file.with_name(f"{file.name}.before-{head}")
    return copy if await anyio.to_thread.run_sync(_copy, file, copy) else None


def _copy(file: Path, copy: Path) -> bool:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
            return False
        partial = copy.with_name(f"{copy.name}.partial")
        partial.unlink(missing_ok=True)
        # VACUUM INTO fills an empty file and keeps its mode; one that it makes has the umask's.
        create_private_file(partial)
        connection.execute("VACUUM INTO ?", (str(partial),))
        partial.replace(copy)
    _forget_older(file)
    return True


def _forget_older(file: Path) -> None:
    """Remove all copies but the newest."""
    copies = file.parent.glob(f"{file.name}.before-*")
    by_age = sorted(copies, key=lambda copy: copy.stat().st_mtime_ns, reverse=True)
    for old in by_age[KEPT_COPIES:]:
        old.unlink()
