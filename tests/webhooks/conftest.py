"""Fixtures of the tests of deliveries."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.vault import KeySources, Vault
from tests.databases import open_store
from tests.webhooks.parts import Door, key_file, open_door


@pytest.fixture(scope="session")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was opened before, with its key beside it: what a second start finds."""
    home = tmp_path_factory.mktemp("opened")
    async with open_store(home / "jobs.db") as store:
        await Vault.open(KeySources(key_file(home)), store.data_keys)
    return home


@pytest.fixture
def home(opened: Path, tmp_path: Path) -> Path:
    """A home of the test's own, opened before."""
    shutil.copyfile(opened / "jobs.db", tmp_path / "jobs.db")
    shutil.copy2(key_file(opened), key_file(tmp_path))
    return tmp_path


@pytest.fixture
async def door(home: Path) -> AsyncIterator[Door]:
    """A door to one webhook; its runner executes nothing."""
    async with open_door(home) as opened_door:
        yield opened_door
