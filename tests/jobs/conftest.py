"""Fixtures of the tests of runs."""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from gateway.standin import StandIn
from sandboxes.policy import Level
from tests.jobs.parts import CLI_GUARD_S, Parts, processes_of, running_parts
from tests.jobs.world import World, a_world

KEPT_S = 600.0
"""How long a small CLI waits."""


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


@pytest.fixture
async def small(parts: Parts, tmp_path: Path) -> AsyncIterator[Parts]:
    """The parts of runs with a small CLI; nothing of a CLI or a run is left at the end."""
    script = Path(__file__).with_name("small_cli.py").read_text("utf-8")
    cli = tmp_path / "small-cli"
    cli.write_text(f"#!{sys.executable} -IS\n{script}", "utf-8")
    cli.chmod(0o755)
    parts.config = replace(parts.config, cli=cli, level=Level.OFF, standby_s=KEPT_S)
    with anyio.fail_after(CLI_GUARD_S):
        yield parts
    assert processes_of(parts.home) == []
    assert list((parts.home / "runs").iterdir()) == []
