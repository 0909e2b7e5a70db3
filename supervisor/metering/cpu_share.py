"""How much of the processors one child uses, and what is done where no cgroup caps it.

A child that passes its limit over a whole window gets the lowest priority: what it uses then is
what nobody else wants. It keeps that until its next start, because a plain user cannot raise it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandboxes.limits.watchdog import Tree

WINDOW_S = 10.0
"""Long enough for a start, which imports at full speed, to be forgiven."""
LOWEST = 19
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class CpuWindow:
    """The processor time of one child at the begin of the window that is being looked at."""

    began: float | None = None
    ticks: int = 0
    too_much: bool = False
    told: bool = False
    cores: float = 0.0

    def look(self, found: Tree, limit: float | None, now: float) -> None:
        """Compare with the limit at the end of each window; `now` in monotonic seconds."""
        if limit is None:
            return
        if self.too_much:
            # Threads that were started since by others than the lowered ones.
            lower(found.pids)
        elif self.began is None:
            self.began, self.ticks = now, found.cpu_ticks
        elif now - self.began >= WINDOW_S:
            self.cores = (found.cpu_ticks - self.ticks) / TICKS_PER_S / (now - self.began)
            self.began, self.ticks = now, found.cpu_ticks
            if self.cores > limit:
                self.too_much = True
                lower(found.pids)

    def take_lowered(self) -> float | None:
        """Return, once, how many processors were used when the priority was lowered."""
        if self.told or not self.too_much:
            return None
        self.told = True
        return self.cores


def lower(pids: Iterable[int]) -> None:
    """Give every thread of these processes the lowest priority."""
    # setpriority(2) changes one thread at a time, whatever POSIX says of processes.
    for pid in pids:
        with suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), LOWEST)
