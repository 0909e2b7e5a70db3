"""Limits over the whole tree hold for real children, and say so."""

import anyio
import pytest

from sandboxes.policy import MIB, Limits
from supervisor.errors import ChildDied
from supervisor.events import LimitExceeded
from tests.supervisor.conftest import GUARD_S, Stage, raw_spec


async def breach(stage: Stage, limits: Limits, tool: str, **arguments: object) -> str:
    """Call a tool of a limited server; return the reason that its caller is told."""
    spec = raw_spec("a", limits=limits)
    await stage.start(spec)
    with anyio.fail_after(GUARD_S), pytest.raises(ChildDied) as died:
        await stage.call("a", tool, **arguments)
        while True:
            await stage.call("a", "wait", steps=1)
    (event,) = stage.said(LimitExceeded)
    assert event.reason == died.value.reason
    await stage.until(lambda: stage.supervisor.snapshot("a").last_exit == event.reason)
    return event.reason


async def test_memory_over_several_processes_is_a_breach(stage: Stage) -> None:
    """Issue 3, point 3: the caller and the snapshot name limit, amount and processes."""
    reason = await breach(stage, Limits(memory_bytes=100 * MIB), "eat", processes=3, mebibytes=50)
    assert reason.startswith("memory limit of 100 MiB exceeded (")
    assert reason.endswith(" MiB in 4 processes)") or reason.endswith(" MiB in 3 processes)")


async def test_too_many_processes_are_a_breach(stage: Stage) -> None:
    """Issue 3, point 3: also where the kernel counts nothing for us."""
    reason = await breach(stage, Limits(processes=5), "eat", processes=12, mebibytes=0)
    assert reason.startswith("limit of 5 processes and threads exceeded (")


async def test_disk_space_is_a_breach(stage: Stage) -> None:
    """Issue 3, point 3: many files that are small each."""
    limits = Limits(data_dir_bytes=2 * MIB)
    reason = await breach(stage, limits, "fill", files=30, bytes_each=100_000)
    assert reason.startswith("DATA_DIR limit of 2 MiB exceeded (3 MiB")


async def test_deleted_open_files_are_disk_space_too(stage: Stage) -> None:
    """Ours: a walk over the folder would not see them."""
    limits = Limits(data_dir_bytes=2 * MIB)
    reason = await breach(stage, limits, "fill", files=30, bytes_each=100_000, unlink=True)
    assert reason.startswith("DATA_DIR limit of 2 MiB exceeded (3 MiB")


async def test_number_of_files_is_a_breach(stage: Stage) -> None:
    """Issue 3, point 3: empty files fill a disk's tables."""
    reason = await breach(stage, Limits(data_dir_files=50), "fill", files=60, bytes_each=0)
    assert reason == "DATA_DIR limit of 50 files exceeded"
