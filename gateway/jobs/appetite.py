"""Tells when the processes of a run together use more than they may."""

import anyio
import anyio.to_thread

from sandboxes import watchdog
from sandboxes.policy import Limits
from supervisor.watch import MEMORY_EVERY_S, over_memory, over_processes


async def until_too_much(root: int, limits: Limits) -> str:
    """Return in words which limit the tree below `root` is over, once it is."""
    table = watchdog.ProcessTable()

    def breach() -> str | None:
        found = table.trees((root,)).get(root)
        return found and (over_memory(found, limits) or over_processes(found, limits))

    while True:
        await anyio.sleep(MEMORY_EVERY_S)
        if reason := await anyio.to_thread.run_sync(breach):
            return reason
