"""Keeps a process waiting for each server with packages of its own that was started lately.

Such a server cannot be a fork of a process that others are forked from too: its packages run
code when they are imported, and whoever forks confined children must run none of that. So each
waits alone, in its own sandbox, and becomes the server's next child. The first start is cold.
Above: `warm_path`. Below: `standby`.
"""

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import anyio
import anyio.to_thread
import psutil
from anyio.abc import TaskGroup

from sandboxes.errors import SandboxError
from sandboxes.launch import Blank, Launch
from sandboxes.warm.standby import prepare_blank
from supervisor.children.spawned import ColdProcess
from supervisor.events import Event, WarmStarted, WentCold
from supervisor.metering.watch import Watch
from supervisor.starts.leftovers import PidFile, Recorded
from supervisor.starts.standby import Standby

MOST = 4
"""Each has its packages in memory, 65 MiB and more; the server started longest ago goes first."""
AFTER_S = 2.0
"""A child that is starting has the processors first."""
LONGEST_AFTER_S = 300.0
"""The pause doubles with each one that ended by itself."""
READY_WITHIN_S = 60.0
UNUSED_S = 600.0
CHILDLESS_S = 30.0
"""Longer than a restart or a reload is without a child."""


class Seat:
    """The place of one server: what waits, or is about to."""

    def __init__(self, blank: Blank, failures: int) -> None:
        self.blank = blank
        self.failures = failures
        self.standby: Standby | None = None
        self.scope = anyio.CancelScope()
        self.changed = asyncio.Event()
        self.taken = False
        self.why_none: str | None = None


class Standbys:
    """Owner of the waiting processes; none is left behind when its task group ends."""

    def __init__(
        self,
        root: Path,
        rehearsal: Path,
        *,
        emit: Callable[[Event], None],
        pids: PidFile,
        watch: Watch,
    ) -> None:
        """`root` holds the code of children that waited; it is emptied by `begin`."""
        self._root = root
        self._rehearsal = rehearsal
        self._emit = emit
        self._pids = pids
        self._watch = watch
        self._seats: dict[str, Seat] = {}
        self._holders: dict[int, Path] = {}
        self._children: dict[str, set[int]] = {}
        self._numbers = count(1)
        # Of asyncio, because a process's end is told outside of any task.
        self._gone: asyncio.Queue[tuple[str, Path | None]] = asyncio.Queue()
        self._group: TaskGroup | None = None

    def begin(self, group: TaskGroup) -> None:
        """Keep processes waiting while this group lives."""
        shutil.rmtree(self._root, ignore_errors=True)
        self._group = group
        group.start_soon(self._clear_up)

    async def spawn(self, server: str, launch: Launch, blank: Blank) -> ColdProcess:
        """Return the child that has waited, or a cold one; another one waits from then on.

        Raises:
            OSError: its program does not exist or cannot be executed.
        """
        found = await self._take(server, launch, blank)
        child = found or ColdProcess(launch)
        self._children.setdefault(server, set()).add(child.pid)
        self._keep(server, blank)
        return child

    def gone(self, server: str, pid: int) -> None:
        """Be told of the end of a child; a server that stays without one needs no other."""
        self._children.get(server, set[int]()).discard(pid)
        self._gone.put_nowait((server, self._holders.pop(pid, None)))

    def forget(self, server: str) -> None:
        """Let nothing wait for a server any more."""
        if seat := self._seats.pop(server, None):
            seat.scope.cancel()

    async def _take(self, server: str, launch: Launch, blank: Blank) -> ColdProcess | None:
        seat = self._seats.get(server)
        if seat is None:
            return None
        if seat.why_none is not None:
            self._emit(WentCold(server, seat.why_none))
            return None
        if seat.blank != blank:
            self.forget(server)
            return None
        standby = seat.standby
        if standby is None or not standby.ready or standby.ended is not None:
            return None
        del self._seats[server]
        seat.taken = True
        try:
            child = await standby.take(blank.code, launch.env)
            self._pids.remove(standby.pid)
        except BaseException as error:
            seat.taken = False
            seat.scope.cancel()
            if isinstance(error, SandboxError):
                self._emit(WentCold(server, str(error)))
                return None
            raise
        finally:
            seat.changed.set()
        self._holders[child.pid] = standby.holder
        return child

    def _keep(self, server: str, blank: Blank) -> None:
        seat = self._seats.pop(server, None)
        if seat is None or seat.why_none is not None or seat.blank != blank:
            failures = seat.failures if seat is not None and seat.blank == blank else 0
            seat = Seat(blank, failures)
            assert self._group is not None
            self._group.start_soon(self._fill, server, seat)
        # The last one in order is the one started last.
        self._seats[server] = seat
        while len(self._seats) > MOST:
            self.forget(next(iter(self._seats)))

    async def _fill(self, server: str, seat: Seat) -> None:
        """Have a process wait until it is taken, no longer wanted, or unused for long."""
        with seat.scope:
            await anyio.sleep(min(AFTER_S * 2**seat.failures, LONGEST_AFTER_S))
            holder = self._root / str(next(self._numbers))
            try:
                standby = seat.standby = await self._start(server, seat, holder)
            except (OSError, SandboxError) as error:
                self._fail(seat, str(error).rstrip("."))
                return
            try:
                await self._attend(server, seat, standby)
            finally:
                if not seat.taken:
                    self._release(standby)
                    await standby.end()
                    with anyio.CancelScope(shield=True):
                        await _remove(holder)

    async def _start(self, server: str, seat: Seat, holder: Path) -> Standby:
        ready = await anyio.to_thread.run_sync(prepare_blank, seat.blank, holder)
        rehearsal = await anyio.to_thread.run_sync(self._rehearsal.read_bytes)
        standby = Standby(
            server, seat.blank, ready, holder, rehearsal=rehearsal, wake=seat.changed.set
        )
        self._watch.hold(standby)
        self._pids.add(Recorded(server, standby.pid, psutil.Process(standby.pid).create_time()))
        return standby

    async def _attend(self, server: str, seat: Seat, standby: Standby) -> None:
        with anyio.move_on_after(READY_WITHIN_S) as patience:
            await _until(seat, lambda: standby.ready or standby.ended is not None)
        if patience.cancelled_caught:
            self._fail(seat, f"it did not wait for its server within {READY_WITHIN_S:g} s")
            return
        if standby.ready:
            self._emit(WarmStarted(standby.pid, standby.age_s, server))
            seat.failures = 0
        with anyio.move_on_after(UNUSED_S) as patience:
            await _until(seat, lambda: seat.taken or standby.ended is not None)
        if patience.cancelled_caught:
            self._seats.pop(server, None)
        elif not seat.taken:
            self._fail(seat, standby.ended or "it ended")

    def _fail(self, seat: Seat, reason: str) -> None:
        seat.failures += 1
        seat.why_none = f"the process that waited for it is gone ({reason})"

    def _release(self, standby: Standby) -> None:
        self._watch.forget(standby.pid)
        self._pids.remove(standby.pid)

    async def _clear_up(self) -> None:
        """Do what the end of a child asks for."""
        while True:
            server, holder = await self._gone.get()
            if holder is not None:
                await _remove(holder)
            if self._group is not None and not self._children.get(server):
                self._group.start_soon(self._forget_later, server)

    async def _forget_later(self, server: str) -> None:
        await anyio.sleep(CHILDLESS_S)
        if not self._children.get(server):
            self.forget(server)
            self._children.pop(server, None)


async def _until(seat: Seat, fact: Callable[[], bool]) -> None:
    while not fact():
        seat.changed.clear()
        await seat.changed.wait()


async def _remove(folder: Path) -> None:
    await anyio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))
