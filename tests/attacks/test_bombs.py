"""Bombs meet limits with a name; the neighbour answers meanwhile and the gateway stays small."""

import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import psutil
import pytest

from sandboxes.limits import tree
from sandboxes.policy import MIB
from supervisor.errors import ChildDied, SupervisorError
from supervisor.events import LimitExceeded
from tests.attacks.conftest import BOMBS, SMALL, Arena, name_of
from tests.demonstrations import Demonstrations
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(180)

NEIGHBOUR_GUARD_S = PATIENCE_S
"""The promise is 1 s; the guard leaves room for a busy machine."""
GROWTH_BYTES = 64 * MIB
PAUSE_S = 0.02
AT_ONCE = 4
"""Most of them wait for the watch; it must tell the guilty from the others as well."""
NAMED = re.compile(
    r"memory limit of 192 MiB exceeded \(\d+ MiB in \d+ processes\)"
    r"|limit of 40 processes and threads exceeded \(\d+\)"
    r"|DATA_DIR limit of 64 MiB exceeded \(\d+ MiB on disk\)"
    r"|DATA_DIR limit of 2000 files exceeded"
    r"|DATA_DIR limit of 100 folders in each other exceeded"
    r"|stopped because it printed .*"
)
WATCHED = {
    "memory_in_many_processes": "memory limit",
    "shared_memory": "memory limit",
    "memory_behind_an_ended_thread": "memory limit",
    "many_big_files": "DATA_DIR limit of 64 MiB",
    "deleted_files": "DATA_DIR limit of 64 MiB",
    "files_behind_an_ended_thread": "DATA_DIR limit of 64 MiB",
    "files_under_way": "DATA_DIR limit of 64 MiB",
    "files_only_mapped": "DATA_DIR limit of 64 MiB",
    "files_in_home": "DATA_DIR limit of 64 MiB",
    "many_small_files": "DATA_DIR limit of 2000 files",
    "folders_in_folders": "DATA_DIR limit of 100 folders",
    "flood_output": "stopped because it printed",
    "endless_line": "stopped because it printed",
}
"""Bombs that no limit of a single process stops, and what does."""


@dataclass
class Neighbour:
    """How a healthy server fared."""

    calls: int = 0
    worst_s: float = 0.0


@asynccontextmanager
async def calling(arena: Arena) -> AsyncGenerator[Neighbour]:
    """Call the neighbour all the time while the body runs."""
    seen = Neighbour()

    async def call() -> None:
        while True:
            begun = time.monotonic()
            with anyio.fail_after(NEIGHBOUR_GUARD_S):
                assert await arena.call("neighbour", "healthy") == "well"
            seen.calls += 1
            seen.worst_s = max(seen.worst_s, time.monotonic() - begun)
            await anyio.sleep(PAUSE_S)

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        yield seen
        group.cancel_scope.cancel()


async def explode(arena: Arena, name: str) -> tuple[str, str]:
    """Set a bomb off in a server of its own; return verdict and reason."""
    server = name.replace("_", "-")
    await arena.start(arena.spec(server, SMALL))
    try:
        verdict, detail = await arena.call(server, name)
    except ChildDied as died:
        verdict = "limited" if NAMED.fullmatch(died.reason) else "died"
        detail = died.reason
    except SupervisorError as error:
        verdict, detail = "escaped", str(error)
    await arena.supervisor.remove(server)
    tree.remove(arena.home / "servers" / server)
    return verdict, detail


async def test_bombs_hurt_nobody_else(arena: Arena, demonstrations: Demonstrations) -> None:
    """Issue 3: each is limited by name, the neighbour answers, the gateway does not grow."""
    own = psutil.Process()
    before = own.memory_info().rss
    outcomes: dict[str, tuple[str, str]] = {}
    places = anyio.CapacityLimiter(AT_ONCE)

    async def set_off(name: str) -> None:
        async with places:
            outcomes[name] = await explode(arena, name)

    async with calling(arena) as neighbour, anyio.create_task_group() as group:
        for name in BOMBS:
            group.start_soon(set_off, name)
    growth = own.memory_info().rss - before
    print(*(f"{name}: {what}" for name, what in outcomes.items()), sep="\n")
    result = f"worst answer {neighbour.worst_s * 1000:.0f} ms, gateway grew {growth / MIB:.0f} MiB"
    print(result)
    demonstrations.record(
        f"Bombs beside a healthy server, {name_of(arena.way)}", len(BOMBS), result
    )
    assert {name: what for name, what in outcomes.items() if what[0] == "escaped"} == {}
    for name, words in WATCHED.items():
        assert outcomes[name][1].startswith(words), (name, outcomes[name])
    assert growth < GROWTH_BYTES
    said = {event.reason for event in arena.events if isinstance(event, LimitExceeded)}
    assert {outcomes[name][1] for name in WATCHED if "limit" in outcomes[name][1]} <= said
