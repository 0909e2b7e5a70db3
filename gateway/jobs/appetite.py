"""Tells when the processes of a run together use more than they may."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import anyio
import anyio.to_thread

from sandboxes.limits import tree, watchdog
from sandboxes.policy import MIB, Limits
from supervisor.metering.watch import (
    DISK_EVERY_S,
    MEMORY_EVERY_S,
    REST_PER_WALK,
    over_memory,
    over_processes,
)


async def until_too_much(root: int, limits: Limits, folders: Iterable[Path]) -> str:
    """Return in words which limit a run is over, once it is; `root` is above its processes."""
    table, folders = watchdog.ProcessTable(), tuple(folders)
    reasons: list[str] = []

    def processes() -> str | None:
        found = table.trees((root,)).get(root)
        return found and (over_memory(found, limits) or over_processes(found, limits))

    async def repeat(check: Callable[[], str | None], every_s: float) -> None:
        while not reasons:
            began = time.monotonic()
            reason = await anyio.to_thread.run_sync(check)
            if reason is not None:
                reasons.append(reason)
                group.cancel_scope.cancel()
            await anyio.sleep(max(every_s, REST_PER_WALK * (time.monotonic() - began)))

    async with anyio.create_task_group() as group:
        group.start_soon(repeat, processes, MEMORY_EVERY_S)
        group.start_soon(repeat, lambda: over_size(folders, limits), DISK_EVERY_S)
    return reasons[0]


def over_size(folders: Iterable[Path], limits: Limits) -> str | None:
    """Return in words which limit a run's folders are over, or None. Blocking."""
    size = tree.measure(folders, max_entries=limits.data_dir_files)
    if size.entries > limits.data_dir_files:
        return f"limit of {limits.data_dir_files} files in its work folder and HOME exceeded"
    if size.too_deep:
        return f"limit of {tree.MAX_DEPTH} folders in each other exceeded in its work folder"
    if size.bytes > limits.data_dir_bytes:
        most, used = limits.data_dir_bytes // MIB, size.bytes // MIB
        return f"limit of {most} MiB for its work folder and HOME exceeded ({used} MiB on disk)"
    return None
