"""The process group of a run's CLI: who is in it and how it ends."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import psutil

POLL_S = 0.02
SAME_START_S = 2.0
"""psutil derives a start from the wall clock, which may have been corrected meanwhile."""
TERMINATE_S = 2.0
"""The wrapper only kills and reaps; a machine that cannot do that in 2 s gets SIGKILL."""
KILL_S = 3.0
"""The kernel ends what got SIGKILL; only a process in an uninterruptible call takes longer."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """A group by the number of its leader, and when the leader was created (psutil, seconds)."""

    number: int
    started_at: float


def read_group(path: Path) -> ProcessGroup | None:
    """Return the group that the wrapper wrote down; None when it has not, or has ended."""
    try:
        number = int(path.read_text("utf-8"))
        return ProcessGroup(number, psutil.Process(number).create_time())
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


async def end_group(group: ProcessGroup) -> bool:
    """End every process of the group; return True when none is left.

    The leader first: it also ends the descendants that left the group.
    """
    if _is_leader(group):
        with suppress(ProcessLookupError):
            os.kill(group.number, signal.SIGTERM)
        with anyio.move_on_after(TERMINATE_S):
            await _wait_until_empty(group)
    if not _members(group):
        return True
    with suppress(ProcessLookupError):
        os.killpg(group.number, signal.SIGKILL)
    with anyio.move_on_after(KILL_S):
        await _wait_until_empty(group)
    return not _members(group)


async def end_leftover(group: ProcessGroup) -> bool:
    """End the group of an earlier gateway; True when something was ended.

    Without its leader the number may be a stranger's, so nothing is touched; the wrapper has
    ended the group itself when its gateway died.
    """
    if not _is_leader(group):
        return False
    await end_group(group)
    return True


async def _wait_until_empty(group: ProcessGroup) -> None:
    while _members(group):  # noqa: ASYNC110 - the kernel has no event for it
        await anyio.sleep(POLL_S)


def is_alive(group: ProcessGroup) -> bool:
    """Tell whether the leader of the group lives."""
    return _is_leader(group)


def _is_leader(group: ProcessGroup) -> bool:
    try:
        started_at = psutil.Process(group.number).create_time()
    except psutil.NoSuchProcess:
        return False
    return abs(started_at - group.started_at) < SAME_START_S


def _members(group: ProcessGroup) -> list[int]:
    """Return the living processes of the group; one that only waits to be reaped is dead."""
    found: list[int] = []
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            in_group = os.getpgid(process.pid) == group.number
            if in_group and process.info["status"] != psutil.STATUS_ZOMBIE:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - set by process_iter
                found.append(process.pid)
    return found
