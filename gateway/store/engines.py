"""Makes the engines: SQLite with its pragmas, or PostgreSQL through psycopg."""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from gateway.store.errors import StoreUnavailable, UnsupportedDatabase

BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits for another process that writes (a back-up, a person's shell)."""
POOL_TIMEOUT_S = 30.0
"""How long a call waits for a free connection."""
READERS = 4
JOURNAL_SIZE_BYTES = 64 * 1024 * 1024
CONNECT_TIMEOUT_S = 10
SILENCE_TIMEOUT_MS = 30_000
"""How long unanswered packets are waited for before a PostgreSQL connection counts as lost."""
IDLE_TIMEOUT_MS = 5_000
"""What a transaction may stand still: a gateway that is frozen in one must not stop the others."""

POSTGRES_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})

POSTGRES_SETTINGS = (
    f"SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}",
    # A machine that lost its power says no goodbye, and what its connections hold stays held.
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 3",
)

SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",
)


def postgres_url(text: str) -> URL:
    """Return `text` (DATABASE_URL) for psycopg. Raises UnsupportedDatabase."""
    scheme = text.partition(":")[0]
    if scheme not in POSTGRES_SCHEMES:
        raise UnsupportedDatabase(scheme)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        # The parser's message quotes the text, which holds a password.
        raise StoreUnavailable("in DATABASE_URL", "its address cannot be read") from error
    return url.set(drivername="postgresql+psycopg")


def postgres_place(url: URL) -> str:
    """Return how errors name the database: never with user or password."""
    return f"{url.database or ''} on PostgreSQL at {url.host or 'the local socket'}"


def postgres_engine(url: URL) -> AsyncEngine:
    """Return the pool of connections to PostgreSQL of a gateway that serves."""
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args=postgres_connecting(),
    )
    event.listen(engine.sync_engine, "connect", _let_nobody_wait)
    return engine


def postgres_migrator(url: URL) -> AsyncEngine:
    """Return a connection for migrations, whose one transaction may take its time."""
    return create_async_engine(
        url, hide_parameters=True, poolclass=NullPool, connect_args=postgres_connecting()
    )


def postgres_connecting() -> dict[str, int | str]:
    """Return what every connection to PostgreSQL is made with."""
    return {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": SILENCE_TIMEOUT_MS,
        "application_name": "claude-runner",
    }


def create_private_file(path: Path) -> None:
    """Make sure that `path` exists with mode 0600; a folder made for it gets 0700."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(str(path), error.strerror or str(error)) from error


def sqlite_writer(path: Path) -> AsyncEngine:
    """Return the only connection that writes; every transaction begins IMMEDIATE."""
    engine = create_async_engine(
        _sqlite_url(path),
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
    )
    _on_connect(
        engine,
        *SQLITE_PRAGMAS,
        "PRAGMA foreign_keys = ON",
        "PRAGMA journal_mode = WAL",
        f"PRAGMA journal_size_limit = {JOURNAL_SIZE_BYTES}",
    )
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def sqlite_reader(path: Path) -> AsyncEngine:
    """Return a few connections that cannot write and that see each commit at once."""
    engine = create_async_engine(
        _sqlite_url(path),
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
    )
    _on_connect(engine, *SQLITE_PRAGMAS, "PRAGMA query_only = ON")
    return engine


def sqlite_spectator(path: Path) -> AsyncEngine:
    """Return a connection that leaves the file and its log as they are, also when it closes."""
    url = URL.create(
        "sqlite+aiosqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"}
    )
    engine = create_async_engine(url, hide_parameters=True, poolclass=NullPool)
    _on_connect(engine, f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return engine


def sqlite_migrator(path: Path) -> AsyncEngine:
    """Return a connection for migrations.

    Foreign keys are off: a migration that rebuilds a table drops the old one, which would delete
    the rows that refer to it, and the switch cannot be turned inside a transaction.
    """
    engine = create_async_engine(_sqlite_url(path), hide_parameters=True, poolclass=NullPool)
    _on_connect(engine, *SQLITE_PRAGMAS, "PRAGMA foreign_keys = OFF")
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _sqlite_url(path: Path) -> URL:
    return URL.create("sqlite+aiosqlite", database=str(path))


def _on_connect(engine: AsyncEngine, *pragmas: str) -> None:
    def prepare(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late and is never IMMEDIATE.
        connection.isolation_level = None
        cursor: sqlite3.Cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)


def _let_nobody_wait(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for setting in POSTGRES_SETTINGS:
        cursor.execute(setting)
    cursor.close()
    # Rolled back with the first transaction otherwise.
    connection.commit()


def _begin_immediate(connection: Connection) -> None:
    # SQLite refuses to change `synchronous` inside a transaction, so it is set before, if at all.
    wanted = connection.get_execution_options().get("synchronous", "NORMAL")
    if connection.info.get("synchronous", "NORMAL") != wanted:
        connection.exec_driver_sql(f"PRAGMA synchronous = {wanted}")
        connection.info["synchronous"] = wanted
    connection.exec_driver_sql("BEGIN IMMEDIATE")
