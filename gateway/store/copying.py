"""Copies of a SQLite database: made consistent, checked, made fit for another home. Blocking."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from gateway.domain.notice import NoticeState, SendingState
from gateway.domain.run import RunStatus
from gateway.store.affordable import CLAIMED
from gateway.store.engines import BUSY_TIMEOUT_MS, create_private_file
from gateway.store.errors import StoreUnavailable


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy the state of one instant to `target`, which only its owner can read.

    SQLite's backup API in one step: writers go on, for the log keeps what is read.

    Raises:
        StoreUnavailable: there is none, or it cannot be read or written.
    """
    create_private_file(target)
    address = f"file:{quote(str(source))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_MS / 1000)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            # One file, whatever reads it.
            new.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreUnavailable(str(source), str(error)) from error


def check_sqlite(path: Path) -> str:
    """Return the revision of the schema of a sound database. Raises StoreUnavailable."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            (sound,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise StoreUnavailable(str(path), str(sound))
            (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(revision)
    except (sqlite3.Error, TypeError) as error:
        raise StoreUnavailable(str(path), str(error)) from error


def interrupt_runs(path: Path, reason: str, now: int) -> None:
    """Mark the runs of a copy that have not ended. Raises StoreUnavailable.

    Plain SQL on columns that every schema has had: the copy may be older than this program.
    """
    statement = (
        "UPDATE runs SET status = ?, error = ?, finished_at = ?, process_group = NULL,"
        " process_started_at = NULL WHERE status IN (?, ?, ?)"
    )
    unfinished = (RunStatus.QUEUED, *CLAIMED)
    with _changing(path) as database:
        database.execute(statement, (RunStatus.INTERRUPTED, reason, now, *unfinished))


def hold_notices(path: Path, reason: str, now: int) -> int:
    """Have no notice of a copy sent that was not; return how many. Raises StoreUnavailable.

    As plain as above; there were no notices before revision 0014.
    """
    with _changing(path) as database:
        there = "SELECT 1 FROM sqlite_master WHERE name = 'sendings'"
        if database.execute(there).fetchone() is None:
            return 0
        told = database.execute(
            "UPDATE sendings SET state = ?, next_at = NULL, error = ? WHERE state = ?",
            (SendingState.GIVEN_UP, reason, SendingState.PENDING),
        )
        waiting = database.execute(
            "UPDATE notices SET state = ?, settled_at = ? WHERE state IN (?, ?)",
            (NoticeState.RESTORED, now, NoticeState.NEW, NoticeState.GATHERED),
        )
        return told.rowcount + waiting.rowcount


@contextmanager
def _changing(path: Path) -> Generator[sqlite3.Connection]:
    """Give a transaction on a database that nobody else uses."""
    try:
        with closing(sqlite3.connect(path)) as database, database:
            yield database
    except sqlite3.Error as error:
        raise StoreUnavailable(str(path), str(error)) from error
