"""Every test that takes `address` or `store` runs on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from gateway.store import Store
from gateway.store.engines import postgres_url
from gateway.store.migrate import SHIPPED, Migrations
from gateway.store.schema import metadata
from gateway.store.settings import DEFAULTS
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is; `url` is None for SQLite."""

    url: str | None
    path: Path

    def open(self, migrations: Migrations = SHIPPED) -> AbstractAsyncContextManager[Store]:
        """Open it, as one more process would."""
        return Store.open(self.url, path=self.path, migrations=migrations)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two databases."""
    return request.param


@pytest.fixture
def empty(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """A database without a schema."""
    path = tmp_path / "home" / "jobs.db"
    if kind == "sqlite":
        yield Address(None, path)
        return
    cluster: Postgres = request.getfixturevalue("postgres")
    with cluster.database() as url:
        yield Address(url, path)


@pytest.fixture
def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """A database of the newest schema that holds what a first start puts there."""
    path = tmp_path / "home" / "jobs.db"
    if kind == "sqlite":
        path.parent.mkdir()
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        yield Address(None, path)
        return
    # Making a database takes PostgreSQL a fifth of a second, so its tests empty one in turn.
    url: str = request.getfixturevalue("migrated_database")
    yield Address(url, path)
    remove_rows(url)


@pytest.fixture(scope="session")
async def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file of the newest schema."""
    path = tmp_path_factory.mktemp("migrated") / "jobs.db"
    await _migrate(Address(None, path))
    return path


@pytest.fixture(scope="session")
async def migrated_database(postgres: Postgres) -> AsyncIterator[str]:
    """The URL of a PostgreSQL database of the newest schema."""
    with postgres.database() as url:
        await _migrate(Address(url, Path("unused")))
        yield url


def remove_rows(url: str) -> None:
    """Have a PostgreSQL database of the newest schema hold what a first start puts there."""
    engine = create_engine(postgres_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        rows = [{"key": key, "value": value} for key, value in DEFAULTS.items()]
        connection.execute(metadata.tables["settings"].insert(), rows)


async def _migrate(address: Address) -> None:
    async with address.open():
        pass


@pytest.fixture
async def store(address: Address) -> AsyncIterator[Store]:
    """An open store."""
    async with address.open() as opened:
        yield opened


@pytest.fixture
async def other(address: Address, store: Store) -> AsyncIterator[Store]:
    """The same database once more, with connections of its own."""
    async with address.open() as opened:
        yield opened
