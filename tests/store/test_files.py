"""How the store opens: files nobody else reads, sentences for what cannot be opened."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from gateway.store import Store, StoreUnavailable, UnsupportedDatabase
from tests.postgres import Postgres
from tests.store import examples


def mode(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement that any engine runs meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement.partition("\n")[0])

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def test_nobody_else_can_read_the_database(tmp_path: Path) -> None:
    """Ours: 0600 in a 0700 folder, also the files that SQLite puts beside it."""
    path = tmp_path / "home" / "jobs.db"
    async with Store.open(None, path=path) as store:
        await store.jobs.add(examples.job())
        found = {file.name: mode(file) for file in path.parent.iterdir()}
    assert mode(path.parent) == 0o700
    assert found == {"jobs.db": 0o600, "jobs.db-wal": 0o600, "jobs.db-shm": 0o600}


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """Ours: a copied or restored file is as private as a new one."""
    path = tmp_path / "jobs.db"
    path.touch(mode=0o644)
    async with Store.open(None, path=path):
        assert mode(path) == 0o600


async def test_a_closed_store_leaves_one_file(tmp_path: Path) -> None:
    """Ours: the log is folded in, so that the file alone is a back-up."""
    path = tmp_path / "home" / "jobs.db"
    async with Store.open(None, path=path) as store:
        await store.jobs.add(examples.job())
    assert [file.name for file in path.parent.iterdir()] == ["jobs.db"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_only_a_claim_waits_for_the_disk(tmp_path: Path, statements: list[str]) -> None:
    """Ours: a lost claim could repeat a paid run; any other lost write could not."""
    async with Store.open(None, path=tmp_path / "jobs.db") as store:
        run = examples.run()
        await store.runs.add(run)
        statements.clear()
        await store.runs.claim(run.id, 1)
        await store.runs.mark_running(run.id, 1)
        await store.runs.mark_running(run.id, 1)
    assert [line.split(" SET ")[0] for line in statements if "optimize" not in line] == [
        "PRAGMA synchronous = FULL",
        "BEGIN IMMEDIATE",
        "UPDATE runs",
        "PRAGMA synchronous = NORMAL",
        "BEGIN IMMEDIATE",
        "UPDATE runs",
        "BEGIN IMMEDIATE",
        "UPDATE runs",
        "BEGIN IMMEDIATE",
    ]


async def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    """Ours: and left as it is."""
    path = tmp_path / "jobs.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailable) as caught:
        async with Store.open(None, path=path):
            pass
    assert caught.value.place == str(path)
    assert path.read_bytes() == b"not a database at all" * 100


async def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """Ours: one sentence instead of a traceback."""
    with pytest.raises(StoreUnavailable) as caught:
        async with Store.open(None, path=tmp_path):
            pass
    assert caught.value.place == str(tmp_path)


@pytest.mark.parametrize("url", ["mysql://u:geheim@h/d", "sqlite:///x.db", "nonsense"])
async def test_another_kind_of_database_is_refused(tmp_path: Path, url: str) -> None:
    """Ours: the sentence says what DATABASE_URL accepts and keeps its password."""
    with pytest.raises(UnsupportedDatabase) as caught:
        async with Store.open(url, path=tmp_path / "jobs.db"):
            pass
    assert "geheim" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:geheim@127.0.0.1:1/d",
        "postgres://u:geheim@/d?host=/nonexistent",
        "postgresql://u:geheim@h:port/d",
    ],
)
async def test_a_database_that_is_not_there_is_one_sentence(tmp_path: Path, url: str) -> None:
    """Ours: no password in it."""
    with pytest.raises(StoreUnavailable) as caught:
        async with Store.open(url, path=tmp_path / "jobs.db"):
            pass
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
async def test_every_spelling_of_postgresql_opens(
    tmp_path: Path, postgres: Postgres, scheme: str
) -> None:
    """Ours: hosts hand out all of them."""
    with postgres.database() as url:
        spelled = url.replace("postgresql", scheme, 1)
        async with Store.open(spelled, path=tmp_path / "jobs.db") as store:
            assert await store.jobs.all() == ()
    assert list(tmp_path.iterdir()) == []
