"""What each server uses and how it answers: now, for ten minutes, and for five hours.

The watch walks the process table; this reads, every ten seconds and off the loop, what that walk
does not tell. A server that never ran costs nothing here.
"""

import os
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field, replace

import anyio
import anyio.to_thread
import psutil

from sandboxes.limits import watchdog
from supervisor.children.child import Child
from supervisor.metering.latency import Latencies, Latency
from supervisor.metering.watch import Observed

POINT_EVERY_S = 10.0
FRESH_EVERY_S = 1.0
"""A child that was just started is looked at after at most this long."""
POINTS = 60
"""Kept of each history: ten minutes of the fine one."""
POINTS_PER_COARSE_POINT = 30
"""Five minutes, and so five hours of the coarse history."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Point:
    """One server over one interval that ended at `at_s`."""

    at_s: float
    """Seconds since the epoch."""
    cpu_percent: float
    """Of one processor core, on average."""
    resident_bytes: float
    private_bytes: float
    calls: float
    errors: float
    p95_ms: float
    """0 without an answered tool call."""


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """A server now. What its processes use is None while there are none, or none were seen yet."""

    cpu_percent: float | None
    """Of one processor core, over the last ten seconds."""
    resident_bytes: int | None
    """Shared pages count once for each process."""
    private_bytes: int | None
    """What would be free if its processes ended."""
    processes: int | None
    threads: int | None
    open_files: int | None
    """None also where the kernel does not tell."""
    data_dir_bytes: int | None
    calls: int
    errors: int
    """Refused by the server with a JSON-RPC error, or lost with its child."""
    restarts: int
    latency: Latency = field(default_factory=Latency)
    """Of answered tool calls, since the gateway began."""
    fine: tuple[Point, ...] = ()
    """A point for each 10 s in which it ran, oldest first, 60 at most."""
    coarse: tuple[Point, ...] = ()
    """A point for each 5 minutes, 60 at most."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the supervisor counts of one server."""

    calls: int = 0
    errors: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a child used when it was looked at closely."""

    at: float
    cpu_ticks: int
    cpu_percent: float
    private_bytes: int
    open_files: int | None


class History:
    """The last points, in one array of numbers."""

    WIDTH = len(Point.__dataclass_fields__)

    def __init__(self) -> None:
        self._numbers = array("d")
        self._next = 0

    def add(self, point: Point) -> None:
        """Keep a point; the oldest makes room."""
        row = array("d", [getattr(point, name) for name in Point.__dataclass_fields__])
        start = self._next * self.WIDTH
        self._numbers[start : start + self.WIDTH] = row
        self._next = (self._next + 1) % POINTS

    def points(self) -> tuple[Point, ...]:
        """Return what is kept, oldest first."""
        rows = len(self._numbers) // self.WIDTH
        first = self._next if rows == POINTS else 0
        starts = [(first + row) % rows * self.WIDTH for row in range(rows)]
        return tuple(Point(*self._numbers[start : start + self.WIDTH]) for start in starts)


@dataclass(eq=False, slots=True)
class Meter:
    """What is kept of one server that has run."""

    latencies: Latencies = field(default_factory=Latencies)
    fine: History = field(default_factory=History)
    coarse: History = field(default_factory=History)
    counted: Counted = field(default_factory=Counted)
    """As of the last point."""
    added: int = 0
    data_dir_bytes: int | None = None

    def add(self, point: Point) -> None:
        """Keep a fine point, and a coarse one whenever there are enough."""
        self.fine.add(point)
        self.added += 1
        if self.added % POINTS_PER_COARSE_POINT == 0:
            self.coarse.add(merged(self.fine.points()[-POINTS_PER_COARSE_POINT:]))


class Metrics:
    """The meters of all servers that have run; measures while `run` runs."""

    def __init__(
        self,
        observed: Callable[[], tuple[Observed, ...]],
        counted: Callable[[str], Counted],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`observed` are the live children as the watch saw them last."""
        self._observed = observed
        self._counted = counted
        self._now = now
        self._meters: dict[str, Meter] = {}
        self._usage: dict[int, Usage] = {}
        self._point_at = now() + POINT_EVERY_S

    def add(self, child: Child) -> None:
        """Measure the calls of a child from its spawn on."""
        meter = self._meters.setdefault(child.spec.name, Meter())
        child.link.latencies = meter.latencies

    def forget(self, server: str) -> None:
        """Drop what is kept of a server that was removed."""
        self._meters.pop(server, None)

    async def run(self) -> None:
        """Measure until cancelled; where there is no /proc, there is nothing to measure by."""
        while watchdog.available():
            await anyio.sleep(FRESH_EVERY_S)
            await self.measure()

    async def measure(self) -> None:
        """Look closely at new children, and at all of them when a point is due."""
        now, observed = self._now(), self._observed()
        point_is_due = now >= self._point_at
        self._usage = {one.pid: self._usage[one.pid] for one in observed if one.pid in self._usage}
        for one in observed:
            if (meter := self._meters.get(one.server)) and one.disk_bytes is not None:
                meter.data_dir_bytes = one.disk_bytes
        due = [one for one in observed if point_is_due or one.pid not in self._usage]
        if due:
            found = await anyio.to_thread.run_sync(_look_at_all, due, self._usage, now)
            self._usage.update(found)
        if point_is_due:
            self._point_at = now + POINT_EVERY_S
            for server in {one.server for one in observed} & self._meters.keys():
                self._add_point(server)

    def of(self, server: str) -> ServerMetrics:
        """Return a server's metrics now."""
        counted = self._counted(server)
        meter = self._meters.get(server)
        if meter is None:
            return ServerMetrics(None, None, None, None, None, None, None, *astuple(counted))
        children = [one for one in self._observed() if one.server == server]
        usages = [self._usage[one.pid] for one in children if one.pid in self._usage]
        files = [usage.open_files for usage in usages]
        return ServerMetrics(
            cpu_percent=round(sum(u.cpu_percent for u in usages), 1) if usages else None,
            resident_bytes=sum(c.tree.resident_bytes for c in children) if children else None,
            private_bytes=sum(u.private_bytes for u in usages) if usages else None,
            processes=sum(len(c.tree.pids) for c in children) if children else None,
            threads=sum(c.tree.tasks for c in children) if children else None,
            open_files=sum(n or 0 for n in files) if files and None not in files else None,
            data_dir_bytes=meter.data_dir_bytes,
            calls=counted.calls,
            errors=counted.errors,
            restarts=counted.restarts,
            latency=meter.latencies.total(),
            fine=meter.fine.points(),
            coarse=meter.coarse.points(),
        )

    def _add_point(self, server: str) -> None:
        meter, counted, now = self._meters[server], self._counted(server), self.of(server)
        meter.add(
            Point(
                at_s=time.time(),
                cpu_percent=now.cpu_percent or 0.0,
                resident_bytes=now.resident_bytes or 0,
                private_bytes=now.private_bytes or 0,
                calls=counted.calls - meter.counted.calls,
                errors=counted.errors - meter.counted.errors,
                p95_ms=meter.latencies.fold().p95_ms or 0.0,
            )
        )
        meter.counted = counted


def merged(points: Iterable[Point]) -> Point:
    """Return points in a row as one: averages of use, sums of counts, the worst latency."""
    row = tuple(points)
    return Point(
        at_s=row[-1].at_s,
        cpu_percent=sum(point.cpu_percent for point in row) / len(row),
        resident_bytes=sum(point.resident_bytes for point in row) / len(row),
        private_bytes=sum(point.private_bytes for point in row) / len(row),
        calls=sum(point.calls for point in row),
        errors=sum(point.errors for point in row),
        p95_ms=max(point.p95_ms for point in row),
    )


def _look_at_all(
    observed: Iterable[Observed], before: dict[int, Usage], now: float
) -> dict[int, Usage]:
    return {one.pid: _look(one, before.get(one.pid), now) for one in observed}


def _look(one: Observed, before: Usage | None, now: float) -> Usage:
    """Read what the watch's walk does not tell. Blocking."""
    if before is not None and one.tree.cpu_ticks == before.cpu_ticks:
        # What did nothing uses what it used; to read it would cost milliseconds per process.
        return replace(before, at=now, cpu_percent=0.0)
    since, ticks = (before.at, before.cpu_ticks) if before else (one.spawned_at, 0)
    # A grandchild that nobody waited for takes its processor time with it.
    spent_s = max(0, one.tree.cpu_ticks - ticks) / TICKS_PER_S
    private, files = 0, 0
    for pid in one.tree.pids:
        try:
            process = psutil.Process(pid)
            private += _private_bytes(process)
            files = None if files is None else _add_open_files(process, files)
        except psutil.NoSuchProcess:
            continue
    cpu_percent = 100 * spent_s / max(now - since, 0.001)
    return Usage(now, one.tree.cpu_ticks, cpu_percent, private, files)


def _private_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().uss
    except psutil.AccessDenied:
        # A process that made itself unreadable still tells how much it shares.
        memory = process.memory_info()
        return memory.rss - memory.shared


def _add_open_files(process: psutil.Process, so_far: int) -> int | None:
    """Return the sum, None when the process does not tell."""
    try:
        return so_far + process.num_fds()
    except psutil.AccessDenied:
        return None
