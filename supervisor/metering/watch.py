"""Holds every child to the limits over its whole tree: memory, processes and disk space.

Looks at all children together, in a worker thread, because /proc and disks may be slow. A child
over a limit is killed at once, with a reason that its callers are told.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from sandboxes.limits import tree, watchdog
from sandboxes.limits.cgroup import Cgroups
from sandboxes.limits.unlinked import UnlinkedFiles
from sandboxes.policy import MIB, Limits
from supervisor.children.child import Child
from supervisor.events import Event, GroupRefused, LimitExceeded, PriorityLowered
from supervisor.metering.cpu_share import CpuWindow
from supervisor.starts.standby import Standby

MEMORY_EVERY_S = 0.25
"""A breach of memory or processes must end within 0.5 s."""
DISK_EVERY_S = 0.5
"""A breach of disk space must end within 2 s."""
REST_PER_WALK = 3
"""A walk over a large folder is followed by a rest of so many times its length."""
WRAPPING_TASKS = 4
"""Bubblewrap's two processes or the keeper's, and the launcher's moment."""


@dataclass(slots=True)
class _Watched:
    """A live process tree of a server, its folders, and when these were measured."""

    pid: int
    server: str
    generation: int
    limits: Limits
    folders: tuple[Path, ...]
    condemn: Callable[[str], bool]
    spawned_at: float | None
    """None: it is no child yet."""
    latest: watchdog.Tree | None = None
    measured_at_ticks: int = -1
    disk_bytes: int | None = None
    rest_until: float = field(default=0.0)
    cpu: CpuWindow = field(default_factory=CpuWindow)
    group: str | None = None
    """Name of its cgroup; None: it has none."""
    enclosed: frozenset[int] = frozenset()
    """Processes that are in it; what they start is in it as well."""
    unlinked: UnlinkedFiles = field(init=False)

    def __post_init__(self) -> None:
        """Prepare to measure files without a name."""
        self.unlinked = UnlinkedFiles(self.folders, self.limits.file_size_bytes)


Breach = tuple[_Watched, str]


@dataclass(frozen=True, slots=True)
class Observed:
    """A live child as the last walks saw it."""

    server: str
    pid: int
    spawned_at: float
    """Monotonic seconds."""
    tree: watchdog.Tree
    disk_bytes: int | None
    """What its folders hold; None until they were measured."""


class Watch:
    """Watches the children that it is told of while `run` runs."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        folders: Callable[[str], tuple[Path, ...]],
        cgroups: Cgroups | None = None,
    ) -> None:
        """`cgroups`: where the kernel holds the limits too; None: it does not."""
        self._emit = emit
        self._cgroups = cgroups
        self._folders = folders
        self._watched: dict[int, _Watched] = {}
        self._table = watchdog.ProcessTable()

    def add(self, child: Child) -> None:
        """Watch a child from its spawn on."""
        process, spec = child.process, child.spec
        self._add(
            _Watched(
                process.pid,
                spec.name,
                child.generation,
                spec.limits,
                self._folders(spec.name),
                partial(child.condemn, breach=True),
                process.spawned_at,
            )
        )

    def hold(self, standby: Standby) -> None:
        """Watch a process that waits to become a child."""
        self._add(
            _Watched(
                standby.pid,
                standby.server,
                standby.generation,
                standby.limits,
                self._folders(standby.server),
                standby.condemn,
                None,
            )
        )

    def remove(self, child: Child) -> None:
        """Forget a child that is gone."""
        self.forget(child.process.pid)

    def forget(self, pid: int) -> None:
        """Forget a process."""
        one = self._watched.pop(pid, None)
        if self._cgroups is None or one is None or one.group is None:
            return
        if self._cgroups.ended_for_memory(one.group):
            reason = f"memory limit of {_mib(one.limits.memory_bytes)} exceeded (by the kernel)"
            self._emit(LimitExceeded(one.server, one.generation, one.pid, reason))
        self._cgroups.sweep(each.group for each in self._watched.values() if each.group)

    def observed(self) -> tuple[Observed, ...]:
        """Return the children that have been looked at."""
        return tuple(
            Observed(one.server, pid, one.spawned_at, one.latest, one.disk_bytes)
            for pid, one in self._watched.items()
            if one.latest is not None and one.spawned_at is not None
        )

    async def run(self) -> None:
        """Watch until cancelled; where there is no /proc, there is nothing to watch by."""
        if not watchdog.available():
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._repeat, MEMORY_EVERY_S, self.check_processes)
            group.start_soon(self._repeat, DISK_EVERY_S, self.check_disk)

    async def _repeat(
        self, every_s: float, check: Callable[[tuple[_Watched, ...]], list[Breach]]
    ) -> None:
        while True:
            await anyio.sleep(every_s)
            if watched := tuple(self._watched.values()):
                for breaching, reason in await anyio.to_thread.run_sync(check, watched):
                    self._end(breaching, reason)
                for one in watched:
                    self._tell_of_processors(one)

    def check_processes(self, watched: Iterable[_Watched]) -> list[Breach]:
        """Return who is over its memory or processes."""
        by_pid = {one.pid: one for one in watched}
        breaches: list[Breach] = []
        for pid, found in self._table.trees(by_pid).items():
            one = by_pid[pid]
            one.latest = found
            if self._cgroups is not None and one.group is not None:
                self._cgroups.move(one.group, set(found.pids) - one.enclosed)
                one.enclosed = frozenset(found.pids)
            else:
                one.cpu.look(found, one.limits.cpu, time.monotonic())
            reason = over_memory(found, one.limits) or over_processes(found, one.limits)
            if reason:
                breaches.append((one, reason))
        return breaches

    def check_disk(self, watched: Iterable[_Watched]) -> list[Breach]:
        """Return who is over its disk space. A tree that did nothing since is not measured."""
        breaches: list[Breach] = []
        for one in watched:
            now, found = time.monotonic(), one.latest
            if found is None or now < one.rest_until:
                continue
            if found.cpu_ticks == one.measured_at_ticks and not one.unlinked.due(now):
                continue
            one.measured_at_ticks = found.cpu_ticks
            size = tree.measure(one.folders, max_entries=one.limits.data_dir_files)
            reason = over_disk(size, one.unlinked.measure(found.pids, now), one.limits)
            one.disk_bytes = size.bytes
            one.rest_until = time.monotonic() + REST_PER_WALK * (time.monotonic() - now)
            if reason:
                breaches.append((one, reason))
        return breaches

    def _add(self, one: _Watched) -> None:
        before = self._watched.get(one.pid)
        self._watched[one.pid] = one
        if before is not None:
            # It has waited to become this child, in a group of its own.
            one.group, one.enclosed = before.group, before.enclosed
        elif self._cgroups is not None:
            self._enclose(one, self._cgroups)

    def _enclose(self, one: _Watched, cgroups: Cgroups) -> None:
        name = f"{one.server}.{one.generation}.{one.pid}"
        try:
            cgroups.add(name, one.limits)
            cgroups.move(name, (one.pid,))
        except OSError as error:
            self._emit(GroupRefused(one.server, error.strerror or str(error)))
        else:
            one.group = name

    def _tell_of_processors(self, one: _Watched) -> None:
        cores = one.cpu.take_lowered()
        if cores is not None:
            self._emit(PriorityLowered(one.server, one.generation, one.pid, cores))

    def _end(self, one: _Watched, reason: str) -> None:
        if one.condemn(reason):
            self._emit(LimitExceeded(one.server, one.generation, one.pid, reason))


def over_memory(found: watchdog.Tree, limits: Limits) -> str | None:
    """Return the breach in words, None when there is none."""
    # The sum of resident sizes counts shared pages too often, so it can only be too high.
    if found.resident_bytes <= limits.memory_bytes:
        return None
    used = watchdog.proportional_bytes(found.pids)
    if used <= limits.memory_bytes:
        return None
    return (
        f"memory limit of {_mib(limits.memory_bytes)} exceeded "
        f"({_mib(used)} in {len(found.pids)} processes)"
    )


def over_processes(found: watchdog.Tree, limits: Limits) -> str | None:
    """Return the breach in words, None when there is none. The kernel counts threads as well."""
    if found.tasks <= limits.processes + WRAPPING_TASKS:
        return None
    return f"limit of {limits.processes} processes and threads exceeded ({found.tasks})"


def over_disk(size: tree.Size, unlinked_bytes: int, limits: Limits) -> str | None:
    """Return the breach in words, None when there is none."""
    if size.entries > limits.data_dir_files:
        return f"DATA_DIR limit of {limits.data_dir_files} files exceeded"
    if size.too_deep:
        return f"DATA_DIR limit of {tree.MAX_DEPTH} folders in each other exceeded"
    used = size.bytes + unlinked_bytes
    if used > limits.data_dir_bytes:
        return f"DATA_DIR limit of {_mib(limits.data_dir_bytes)} exceeded ({_mib(used)} on disk)"
    return None


def _mib(amount: int) -> str:
    return f"{amount / MIB:.0f} MiB"
