"""A desk and a receiver for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.notify.parts import Desk, open_desk
from tests.notify.receiver import Receiver, receiving


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk without channels."""
    async with open_desk(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    with receiving() as started:
        yield started
