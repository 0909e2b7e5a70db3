"""Brings in what lies in the servers' folders: all of it at the start, and every change later.

Above: the watcher of the folders, and `servers`.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
from anyio import to_thread

from gateway.servers.folders import TRIAL_PREFIX
from gateway.servers.known import Known
from gateway.servers.operation import Operation
from gateway.servers.shelf import Shelf
from sandboxes.errors import SandboxError
from sandboxes.limits import tree
from supervisor.errors import InvalidServer, NotConfigured, StartFailed, UnknownServer
from supervisor.spec import ServerSpec
from supervisor.supervisor import Supervisor

LOADED_AT_ONCE = 8
"""Starts under way when all servers are loaded; more would only make each miss its time-out."""

GONE_S = 0.5
"""A folder that is away for this long is gone; an editor or a checkout needs far less."""

SEAT_S = 8.0
"""A start takes two or three seconds; on a busy machine, eight at a time, longer."""


class Disk:
    """Follows the folders, whoever writes into them."""

    def __init__(
        self,
        known: Known,
        operation: Operation,
        *,
        supervisor: Supervisor,
        recover: Callable[[], None],
        finish: Callable[[], Awaitable[None]],
        shelf: Shelf,
        state_dir: Path,
        seat_s: float = SEAT_S,
    ) -> None:
        """`recover` finishes in the folders what a crash interrupted, `finish` removals.

        `seat_s`: how long one server's start may keep others from being loaded."""
        self._known = known
        self._operation = operation
        self._supervisor = supervisor
        self._recover = recover
        self._finish = finish
        self._shelf = shelf
        self._state_dir = state_dir
        self._seat_s = seat_s

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each folder that could not be read."""
        return self._shelf.problems

    async def load_all(self) -> None:
        """Hand every server on disk to the supervisor; return when all had time to settle."""
        specs = await to_thread.run_sync(self._read_disk)
        await self._finish()
        seats = anyio.CapacityLimiter(LOADED_AT_ONCE)

        async def load(spec: ServerSpec) -> None:
            # A silent server gives its seat up and goes on starting.
            async with seats:
                with anyio.move_on_after(self._seat_s):
                    await self._operation.apply(spec)

        async with anyio.create_task_group() as group:
            for spec in specs:
                group.start_soon(load, spec)
        # Servers whose folders were removed by hand leave their environments behind.
        await self._supervisor.tidy()

    async def reread(self, name: str) -> None:
        """Take over what a server's folder holds now, if that is anything new.

        The newest content wins, also over a start that is under way. A folder that is gone takes
        its server along; its credentials, data and switch stay.
        """
        async with self._known.turn(name):
            spec = await self._news(name)
            if spec is None:
                return
            enabled = await self._operation.is_enabled(spec)
            self._known.put_tried(spec)
        # Out of turn, so that a later change need not wait for this start. Nobody asked for it;
        # why it failed is told by an event and stands in the server's state.
        with suppress(StartFailed, NotConfigured, SandboxError):
            await self._supervisor.apply(spec, enabled=enabled)

    async def forget(self, name: str) -> None:
        """Have a server stopped and known no more; its files, data and switch stay."""
        if self._known.forget(name):
            await self._supervisor.remove(name)

    async def _news(self, name: str) -> ServerSpec | None:
        """Return a server whose folder holds something that was not tried yet."""
        try:
            spec = await to_thread.run_sync(self._shelf.read, name)
            if spec is None:
                # A folder that is being replaced is away for a moment.
                await anyio.sleep(GONE_S)
                spec = await to_thread.run_sync(self._shelf.read, name)
        except InvalidServer as error:
            await self._cannot_use(name, error)
            return None
        if spec is None:
            await self.forget(name)
        if self._shelf.problems:
            await to_thread.run_sync(self._shelf.read_problems)
        if spec is None or self._known.was_tried(spec):
            return None
        return None if self._runs(spec) else spec

    def _runs(self, spec: ServerSpec) -> bool:
        """Return whether a child of just this content runs, such as after a broken edit undone."""
        try:
            seen = self._supervisor.snapshot(spec.name)
        except UnknownServer:
            return False
        if seen.digest != spec.digest or seen.pid is None:
            return False
        self._known.put_tried(spec)
        self._supervisor.forget_rejection(spec.name)
        return True

    async def _cannot_use(self, name: str, error: InvalidServer) -> None:
        """Tell of a folder on disk that cannot be read as a server; what runs goes on."""
        self._known.forget_tried(name)
        if name in self._known:
            self._supervisor.reject(name, str(error))
        else:
            await to_thread.run_sync(self._shelf.read_problems)

    def _read_disk(self) -> tuple[ServerSpec, ...]:
        self._recover()
        for leftover in self._state_dir.glob(f"{TRIAL_PREFIX}*"):
            tree.remove(leftover)
        specs = self._shelf.read_all()
        for spec in specs:
            self._known.put(spec)
        return specs
