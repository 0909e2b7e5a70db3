"""New databases for the tests of what stands above the store."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from anyio import to_thread

from gateway.store import Store
from gateway.store.engines import create_private_file


@asynccontextmanager
async def open_store(path: Path) -> AsyncGenerator[Store]:
    """Open the database at `path`; one that is missing begins as the copy of an empty one.

    To make its tables takes five times as long; tests/store shows that they are made.
    """
    if not path.exists():
        empty = await to_thread.run_sync(_empty)
        create_private_file(path)
        path.write_bytes(empty)
    async with Store.open(None, path=path) as store:
        yield store


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.db"
        asyncio.run(_make(path))
        return path.read_bytes()


async def _make(path: Path) -> None:
    async with Store.open(None, path=path):
        """Its tables are made; whoever closes it last empties the log beside it into the file."""
