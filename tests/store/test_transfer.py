"""Back-ups of PostgreSQL: every table there and back, by the store and by the command line."""

from collections.abc import Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Column, LargeBinary, NullPool, Table, create_engine, select
from sqlalchemy.types import Double, Integer

from gateway.domain.audit import Actor, AuditEntry, Outcome
from gateway.domain.network import NetworkAccess, RunNetwork
from gateway.domain.run_record import ServerUsed
from gateway.domain.server_version import VersionFile
from gateway.domain.view import View
from gateway.store import Store, StoreUnavailable
from gateway.store.engines import postgres_url
from gateway.store.schema import metadata
from gateway.store.transfer import (
    emptying_postgres,
    export_postgres,
    holds_rows,
    replacing_postgres,
)
from gateway.store.types import (
    Flag,
    Json,
    Member,
    Members,
    Names,
    Network,
    ServersUsed,
    Shown,
    VersionFiles,
)
from tests.cli.gateways import make_place
from tests.cli.shell import Shell
from tests.postgres import Postgres

SAMPLES = {
    Flag: True,
    Network: RunNetwork(NetworkAccess.HOSTS, ("api.example.com",)),
    Names: ("a", "ü\n'\""),
    Shown: View(frozenset({"mcp__a__b"}), (("mcp__a__b", "c"),)),
    ServersUsed: (ServerUsed("a", 1, None, "code", 1, (("t", "digest"),)),),
    VersionFiles: (VersionFile("server.py", "sha", 3, executable=True),),
    Json: {"a": [1, None, "ü"]},
    LargeBinary: b"\x00\xff",
    Double: 0.25,
}


def sample(column: Column[Any], number: int) -> object:
    """Return what may stand in a column; the same in columns that refer to each other."""
    kind: Any = column.type
    if isinstance(kind, Member | Members):
        members = list(cast("type[StrEnum]", kind.kind))
        return members[0] if isinstance(kind, Member) else frozenset(members)
    if isinstance(kind, Integer):
        return number
    return next((value for of, value in SAMPLES.items() if isinstance(kind, of)), f"x{number}")


def rows_of(table: Table) -> list[dict[str, object]]:
    """Return a row with everything, and one with nothing that may be missing."""
    full = {column.name: sample(column, 2**40) for column in table.columns}
    bare = {column.name: None if column.nullable else sample(column, 2) for column in table.columns}
    return [full, bare]


def content(url: str) -> dict[str, list[Any]]:
    """Return the rows of every table."""
    engine = create_engine(postgres_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


@pytest.fixture
def urls(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """Two databases without a schema."""
    with ExitStack() as stack:
        yield (
            stack.enter_context(postgres.database()),
            stack.enter_context(postgres.database()),
        )


async def migrate(*urls: str) -> None:
    """Bring databases to the newest schema."""
    for url in urls:
        async with Store.open(url, path=Path("unused")):
            pass


async def test_every_table_comes_through_a_back_up_unchanged(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    """Issue 8, What 3: also tables and columns that somebody adds; numbers go on above."""
    full, other = urls
    await migrate(*urls)
    engine = create_engine(postgres_url(full), poolclass=NullPool)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
            for row in rows_of(table):
                connection.execute(table.insert().values(row))
    assert not holds_rows(other)
    export_postgres(full, tmp_path / "jobs.db")
    with replacing_postgres(other, tmp_path / "jobs.db"):
        assert not holds_rows(other)
    assert holds_rows(other)
    assert content(other) == content(full)
    entry = AuditEntry(at=1, actor=Actor.CLI, action="a", outcome=Outcome.OK)
    async with Store.open(other, path=Path("unused")) as store:
        await store.audit.add([entry])
    assert max(row[0] for row in content(other)["audit"]) == 2**40 + 1
    with emptying_postgres(other):
        pass
    assert not holds_rows(other)


async def test_what_fails_half_way_changes_nothing(urls: tuple[str, str], tmp_path: Path) -> None:
    """Ours: files and rows are put in place together; a schema that is not ours is refused."""
    full, bare = urls
    with pytest.raises(StoreUnavailable, match="has no tables"):
        export_postgres(bare, tmp_path / "none.db")
    assert not holds_rows(bare)
    await migrate(full)
    before = content(full)
    export_postgres(full, tmp_path / "jobs.db")
    for changing in (emptying_postgres(full), replacing_postgres(full, tmp_path / "jobs.db")):
        with pytest.raises(OSError, match="no room"), changing:
            raise OSError("no room")
    assert content(full) == before


def test_a_home_with_postgresql_moves_to_another_one_and_to_sqlite(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    """Issue 8, What 3: by the same three commands and in the same archive."""
    shells = {name: tmp_path / name for name in ("old", "new", "file")}
    for folder in shells.values():
        folder.mkdir()
    old, new, file = (Shell(make_place(folder)) for folder in shells.values())
    at_old, at_new = ({"DATABASE_URL": url} for url in urls)
    assert old("token", "create", "--name", "phone", "--scope", "read", env=at_old).status == 0
    archive = tmp_path / "kept.tar.gz"
    saved = old("backup", archive, env=at_old)
    assert (saved.status, saved.err) == (0, "")
    assert not (old.place.home / "jobs.db").exists()
    restored = new("restore", archive, env=at_new)
    assert (restored.status, restored.err) == (0, "")
    assert "phone" in new("token", "list", env=at_new).out
    full = new("restore", archive, env=at_new)
    assert (full.status, "add --replace" in full.err) == (1, True)
    again = new("restore", archive, "--replace", env=at_new)
    assert (again.status, "What was there before is in" in again.out) == (0, True)
    assert file("restore", archive).status == 0
    assert "phone" in file("token", "list").out
    emptied = new("reset", "--yes", env=at_new)
    assert (emptied.status, "is empty" in emptied.out) == (0, True)
    assert "phone" not in new("token", "list", env=at_new).out
