"""Nothing that a server started outlives it, and nothing that it planted bites host code."""

import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import psutil
import pytest

from sandboxes.limits import tree
from supervisor.errors import ChildDied
from tests.attacks.conftest import Arena, name_of
from tests.demonstrations import Demonstrations
from tests.waiting import PATIENCE_S

GONE_GUARD_S = PATIENCE_S
"""The promise is 2 s; the guard leaves room for a busy machine."""
DAEMONS = 3


async def gone(ends: list[int]) -> float:
    """Return after how many seconds all of these processes have ended."""
    begun = time.monotonic()
    with anyio.fail_after(GONE_GUARD_S):
        for end in ends:
            await anyio.wait_readable(end)
    return time.monotonic() - begun


@asynccontextmanager
async def daemons_of(arena: Arena) -> AsyncGenerator[list[int]]:
    """Start an attacker that leaves daemons; give what is readable once each process is gone."""
    ends = [os.pidfd_open(process.pid) for process in await with_daemons(arena)]
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


async def with_daemons(arena: Arena) -> list[psutil.Process]:
    """Start an attacker that leaves daemons; return all processes of it."""
    await arena.start(arena.spec("attacker"))
    assert await arena.call("attacker", "daemonise", {"count": DAEMONS}) == DAEMONS
    child = arena.supervisor.snapshot("attacker").pid
    assert child is not None
    # Forks show the warm process's command line, so the tree by parents tells whose they are.
    found = [psutil.Process(child), *psutil.Process(child).children(recursive=True)]
    assert len(found) > DAEMONS
    return found


@pytest.mark.parametrize("ending", ["disable", "restart", "remove", "crash", "condemn", "kill"])
async def test_daemons_end_with_their_server(
    ending: str, arena: Arena, demonstrations: Demonstrations
) -> None:
    """Issue 3: gone within 2 s, whatever ends the server."""
    supervisor = arena.supervisor
    async with daemons_of(arena) as ends:
        match ending:
            case "crash":
                with pytest.raises(ChildDied):
                    await arena.call("attacker", "crash")
            case "condemn":
                child = supervisor.slot("attacker").current
                assert child is not None and child.condemn("for a test")
            case "kill":
                pid = supervisor.snapshot("attacker").pid
                assert pid is not None
                psutil.Process(pid).kill()
            case order:
                await getattr(supervisor, order)("attacker")
        took = await gone(ends)
    if "attacker" in supervisor.names:
        await supervisor.remove("attacker")
    demonstrations.record(
        f"Daemons of a server after its {ending}, {name_of(arena.way)}",
        DAEMONS,
        f"gone after {took:.2f} s",
    )


async def test_planted_links_bite_no_host_code(arena: Arena) -> None:
    """Issue 3, point 8: measured, handed over again, and removed."""
    precious = arena.home / f"precious-{name_of(arena.way)}"
    precious.mkdir()
    (precious / "file").write_bytes(b"x" * 200_000_000)
    owner = precious.stat().st_uid
    await arena.start(arena.spec("attacker"))
    planted = await arena.call("attacker", "plant_links", {"precious": str(precious)})
    assert planted == "planted"
    folder = arena.home / "servers" / "attacker"
    assert tree.measure([folder], max_entries=1000).bytes < 10_000_000
    await arena.supervisor.restart("attacker")
    assert await arena.call("attacker", "healthy") == "well"
    await arena.supervisor.remove("attacker")
    tree.remove(folder)
    assert not folder.exists()
    assert (precious.stat().st_uid, (precious / "file").stat().st_uid) == (owner, owner)
    assert (precious / "file").stat().st_size == 200_000_000
