"""Fixtures of the tests of runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.standin import StandIn
from tests.jobs.parts import Parts, running_parts
from tests.jobs.world import World, a_world


@pytest.fixture
def api() -> StandIn:
    """The stand-in with its default script; a test may give another one."""
    return StandIn()


@pytest.fixture
async def parts(tmp_path: Path, api: StandIn) -> AsyncIterator[Parts]:
    """Everything a run needs, up and running."""
    async with running_parts(tmp_path, api) as running:
        yield running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A scheduler one second past noon, whose runs nobody executes."""
    async with a_world(tmp_path) as found:
        yield found
