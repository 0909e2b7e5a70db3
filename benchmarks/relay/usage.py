"""Processor time of a process and of what it started."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds so far."""

    alone: float
    """Of the process itself, all its threads."""
    with_children: float

    def __sub__(self, before: "Used") -> "Used":
        """Return what was used since."""
        return Used(self.alone - before.alone, self.with_children - before.with_children)


def used(pid: int) -> Used:
    """Return what a process and its descendants have used."""
    process = psutil.Process(pid)
    alone = _seconds(process)
    return Used(alone, alone + sum(map(_seconds, process.children(recursive=True))))


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system
