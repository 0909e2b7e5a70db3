"""Every test that takes `address` or `store` runs on SQLite and on a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.store import Store
from gateway.store.migrate import SHIPPED, Migrations
from tests.postgres import postgres

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
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """An empty database."""
    path = tmp_path / "home" / "jobs.db"
    if request.param == "sqlite":
        yield Address(None, path)
        return
    with request.getfixturevalue("postgres").database() as url:
        yield Address(url, path)


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
