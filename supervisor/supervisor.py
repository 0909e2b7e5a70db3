"""All servers by name: adds, replaces and removes slots, and carries requests to their children.

The gateway builds one, enters it, and hands it specs; everything that happens is told through
`emit`. Below: `slot`.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from sandboxes.network.outside import Internet, Outside
from sandboxes.packages.environments import Environments
from sandboxes.packages.recipe import Recipe
from supervisor.children.call import Answer, Call, Notice
from supervisor.children.child import Child
from supervisor.children.crash import CrashReport
from supervisor.children.crash_log import FILE as CRASH_FILE
from supervisor.children.crash_log import CrashLog
from supervisor.children.era import to_modern_params
from supervisor.children.stderr_log import LOG_FILE, StderrLog
from supervisor.children.wire import decode, encode
from supervisor.config import SupervisorConfig, build_tools, warm_config
from supervisor.errors import CallTimedOut, RequestRefused, UnknownServer
from supervisor.events import Event, LeftoverKilled
from supervisor.metering.metrics import Counted, Metrics, ServerMetrics
from supervisor.metering.watch import Watch
from supervisor.pinning.pinboard import Pinboard
from supervisor.pinning.pins import Pins
from supervisor.redaction import Redactor
from supervisor.slots.context import SlotContext
from supervisor.slots.idling import Idling
from supervisor.slots.known_tools import FILE as TOOLS_FILE
from supervisor.slots.known_tools import KnownTools
from supervisor.slots.orders import Want
from supervisor.slots.slot import Slot
from supervisor.slots.trial import on_trial
from supervisor.snapshot import ServerSnapshot, take
from supervisor.spec import Era, ServerSpec
from supervisor.starts.launching import Launcher, Workplace
from supervisor.starts.leftovers import PidFile, Recorded, kill_leftovers
from supervisor.starts.upkeep import Upkeep
from supervisor.starts.warm_path import WarmPath
from supervisor.tenant import Tenant

WITH_PROGRESS = {"_meta": {"progressToken": 0}}
"""The token is the link's to replace."""
CANCELLED_BY_CALLER = "the caller went away"


Credentials = Callable[[ServerSpec], Awaitable[Mapping[str, str]]]
NoticeListener = Callable[[str, Notice], None]


class Supervisor:
    """Runs servers while it is entered; leaves no process behind."""

    def __init__(
        self,
        *,
        config: SupervisorConfig,
        credentials: Credentials,
        emit: Callable[[Event], None],
        outside: Outside | None = None,
        pins: Mapping[str, bytes] | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        """Be ready to be entered.

        `outside` is what children with granted hosts reach; None: the internet. `pins` are the
        records that `DefinitionsPinned` carried last, by server. `redactor` hides secrets in what
        children write; it is told the credentials of those that run.
        """
        self.redactor = redactor or Redactor()
        """Hides secrets in what children write."""
        self._outside = outside or Internet()
        self._config = config
        self._emit = emit
        self._slots: dict[str, Slot] = {}
        self._pids = PidFile(config.home / "pids.json")
        self._mark = hashlib.sha256(bytes(config.home)).hexdigest()[:16]
        warm = warm_config(config)
        workplace = Workplace(
            config.home / "servers",
            config.python,
            config.level,
            config.uid_base,
            self._mark,
            warm,
            config.closed_ports,
        )
        self._watch = Watch(emit, workplace.writable, config.cgroups)
        self._metrics = Metrics(self._watch.observed, self._counted)
        self._warm = WarmPath(warm, emit=emit, pids=self._pids, watch=self._watch)
        self._environments = Environments(config.home / "environments", build_tools(config))
        self._launcher = Launcher(workplace, credentials, self._environments)
        self._upkeep = Upkeep(self._environments, emit, self._specs)
        self._idling = Idling(lambda: tuple(self._slots.values()))
        self._pinboard = Pinboard(pins or {}, config.python, emit)
        self._listeners: set[NoticeListener] = set()
        self._stack = AsyncExitStack()
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        for leftover in kill_leftovers(self._pids.read(), self._mark):
            self._emit(LeftoverKilled(leftover.server, leftover.pid))
        # Left after the children, which would not outlive it.
        await self._stack.enter_async_context(self._warm)
        await self._stack.enter_async_context(self._environments)
        self._group = await self._stack.enter_async_context(anyio.create_task_group())
        self._group.start_soon(self._watch.run, name="watch over limits")
        self._group.start_soon(self._metrics.run, name="metrics")
        self._group.start_soon(self._upkeep.run, name="upkeep of environments")
        self._group.start_soon(self._idling.run, name="stops of idle children")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._group is not None:
            self._group.cancel_scope.cancel()
        # Not given to the task group, which would wrap the body's error in a group.
        await self._stack.aclose()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all servers, sorted."""
        return tuple(sorted(self._slots))

    async def apply(self, spec: ServerSpec, *, enabled: bool) -> None:
        """Add a server, or bring new code to one that is there.

        A new server starts by itself, in the background. One that runs is reloaded: the old
        child serves until the new one is ready.

        Raises:
            StartFailed, NotConfigured, SandboxError: the new code did not become ready; a child
                of the old code goes on serving.
        """
        slot = self._slots.get(spec.name)
        if slot is None:
            self._add(spec, enabled=enabled)
        elif enabled:
            with self._upkeep.holding(spec.recipe):
                await slot.order(Want.REPLACE, spec)
        else:
            with self._upkeep.holding(spec.recipe):
                slot.spec = spec
                await slot.order(Want.STOP)

    def reject(self, name: str, reason: str) -> None:
        """Note that a server's newer code cannot even be read; what runs goes on.

        Raises:
            UnknownServer.
        """
        self.slot(name).reject(reason)

    def forget_rejection(self, name: str) -> None:
        """Note that what a server runs is its newest code again.

        Raises:
            UnknownServer.
        """
        self.slot(name).rejected = None

    async def enable(self, name: str) -> None:
        """Start a server and return when it can be called.

        Raises:
            UnknownServer, StartFailed, NotConfigured, SandboxError.
        """
        await self.slot(name).order(Want.START)

    async def disable(self, name: str) -> None:
        """Stop a server; it stays stopped.

        Raises:
            UnknownServer.
        """
        await self.slot(name).order(Want.STOP)
        self._warm.forget(name)

    async def restart(self, name: str) -> None:
        """Stop a server and start it again, whatever its history.

        Raises:
            UnknownServer, StartFailed, NotConfigured, SandboxError.
        """
        await self.slot(name).order(Want.RESTART)

    async def remove(self, name: str) -> None:
        """Stop a server and forget it.

        Raises:
            UnknownServer.
        """
        slot = self.slot(name)
        await slot.order(Want.REMOVE)
        self._warm.forget(name)
        self._slots.pop(name, None)
        self._metrics.forget(name)
        await self.tidy()

    def forget_pins(self, name: str) -> None:
        """Forget what is pinned of a server that was removed for good."""
        self._pinboard.forget(name)

    async def tidy(self) -> None:
        """Remove the environments that no server uses any more."""
        await self._upkeep.tidy()

    async def lock(self, recipe: Recipe) -> Recipe:
        """Return the recipe of just the packages that this one means today, with their digests.

        Raises:
            SandboxError: they cannot be found.
        """
        return await self._environments.lock(recipe, _unheard)

    @asynccontextmanager
    async def environment(self, recipe: Recipe) -> AsyncGenerator[Path]:
        """Give the environment of a recipe, built now unless it is there, and keep it meanwhile.

        Raises:
            SandboxError: it cannot be built.
        """
        with self._upkeep.holding(recipe):
            yield await self._environments.ensure(recipe, _unheard)

    async def wait_settled(self, name: str, timeout_s: float) -> ServerSnapshot:
        """Return the server once no start is under way, or as it is after this long.

        Raises:
            UnknownServer.
        """
        slot = self.slot(name)
        with anyio.move_on_after(timeout_s):
            await slot.settled()
        return take(slot, self._config.level, self._environments)

    def slot(self, name: str) -> Slot:
        """Return a server's slot.

        Raises:
            UnknownServer.
        """
        slot = self._slots.get(name)
        if slot is None:
            raise UnknownServer(name, tuple(self._slots))
        return slot

    def snapshot(self, name: str) -> ServerSnapshot:
        """Return a server as it is now.

        Raises:
            UnknownServer.
        """
        return take(self.slot(name), self._config.level, self._environments)

    def snapshots(self) -> tuple[ServerSnapshot, ...]:
        """Return all servers as they are now, by name."""
        return tuple(
            take(self._slots[name], self._config.level, self._environments) for name in self.names
        )

    def metrics(self, name: str) -> ServerMetrics:
        """Return what a server uses and how it answers, with a short history.

        Raises:
            UnknownServer.
        """
        self.slot(name)
        return self._metrics.of(name)

    def crashes(self, name: str) -> tuple[CrashReport, ...]:
        """Return why a server's last children died or did not start, oldest first.

        Raises:
            UnknownServer.
        """
        return self.slot(name).crashes.reports

    def log_path(self, name: str) -> Path:
        """Return the file that holds what a server wrote to standard error, if it wrote any.

        Raises:
            UnknownServer.
        """
        return self.slot(name).log.path

    def end_tenant(self, key: str, reason: str) -> None:
        """Stop the instances of a session or caller that has ended, in the background."""
        for slot in self._slots.values():
            slot.instances.end(key, reason)

    def listen(self, listener: NoticeListener) -> Callable[[], None]:
        """Be told of notifications that belong to no call; returns how to stop that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def request(
        self,
        name: str,
        method: str,
        params: Mapping[str, object] | None,
        *,
        timeout_s: float | None = None,
        on_progress: Callable[[Notice], None] | None = None,
        tenant: Tenant | None = None,
    ) -> dict[str, Any]:
        """Send one request to a server's child and return the result. Never retried.

        A `per_session` server answers it by the instance of `tenant`, if one is named.

        With `on_progress` the child is asked to tell how far it is, and its time begins anew
        whenever it does.

        Raises:
            UnknownServer, ServerUnavailable, ChildDied, CallTimedOut: no answer, and why.
            RequestRefused: the child answered with a JSON-RPC error.
        """
        slot = self.slot(name)
        body = encode({**(params or {}), **(WITH_PROGRESS if on_progress else {})})
        limit = timeout_s if timeout_s is not None else slot.spec.call_timeout_s
        scope = anyio.CancelScope()
        # The link calls back from the loop itself, where anyio does not know its clock.
        clock = asyncio.get_running_loop().time

        def note(notice: Notice) -> None:
            scope.deadline = clock() + limit
            if on_progress is not None:
                on_progress(notice)

        def send(child: Child) -> tuple[Child, Call]:
            modern = child.handshake.era is Era.MODERN
            sent = to_modern_params(body) if modern else body
            return child, child.call(method, sent, on_progress=note)

        place = slot if tenant is None else slot.place(tenant)
        child, call = await place.send(send)
        answer = await self.finish(child, call, limit, scope)
        if answer.error is not None:
            raise RequestRefused.from_json(name, decode(answer.error))
        return decode(answer.result or b"{}", type=dict[str, Any])

    @asynccontextmanager
    async def trial(self, spec: ServerSpec, secrets: Mapping[str, str]) -> AsyncGenerator[Child]:
        """Give a child of a server that is not registered, ready to be called.

        `spec.name` names its folders below `servers` and must be no server's; once the body has
        ended nothing runs, and the folders are the caller's to remove.

        Raises:
            StartFailed, NotConfigured, SandboxError: it did not become ready.
        """
        with self._upkeep.holding(spec.recipe):
            launch = await self._launcher.launch(spec, _unheard, secrets)
            context = self._context(spec.name, self._begun, self._pinboard.unkept(spec.name))
            async with on_trial(spec, launch, context) as child:
                yield child

    async def finish(
        self, child: Child, call: Call, timeout_s: float, scope: anyio.CancelScope | None = None
    ) -> Answer:
        """Wait for a call's answer; a call that is given up is cancelled at the child too.

        Whoever holds `scope` may put its deadline off.

        Raises:
            ChildDied, CallTimedOut.
        """
        patience = scope or anyio.CancelScope()
        patience.deadline = anyio.current_time() + timeout_s
        try:
            with patience:
                return await call.future
        except anyio.get_cancelled_exc_class():
            child.link.cancel(call, CANCELLED_BY_CALLER)
            raise
        child.link.cancel(call, f"no answer within {timeout_s:g} s")
        raise CallTimedOut(child.spec.name, call.method, timeout_s)

    def _add(self, spec: ServerSpec, *, enabled: bool) -> None:
        context = self._context(spec.name, self._spawned, self._pinboard.of(spec.name))
        slot = self._slots[spec.name] = Slot(spec, context, enabled=enabled)
        assert self._group is not None
        self._group.start_soon(slot.run, name=f"slot {spec.name}")
        if enabled:
            slot.begin()

    def _context(self, server: str, on_spawned: Callable[[Child], None], pins: Pins) -> SlotContext:
        folder = self._config.home / "servers" / server
        return SlotContext(
            emit=self._emit,
            launch=self._launcher.launch,
            spawn=self._warm.spawn,
            on_spawned=on_spawned,
            on_gone=self._gone,
            on_ready=self._idling.wake,
            on_notice=self._noticed,
            policy=self._config.restart,
            log=StderrLog(folder / LOG_FILE, self.redactor),
            crashes=CrashLog(folder / CRASH_FILE),
            known_tools=KnownTools(folder / TOOLS_FILE),
            pins=pins,
            screen=lambda spec: self._pinboard.screen(pins, spec),
            outside=self._outside,
        )

    def _spawned(self, child: Child) -> None:
        self._metrics.add(child)
        self._begun(child)

    def _begun(self, child: Child) -> None:
        self._watch.add(child)
        process = child.process
        self._upkeep.add(child)
        self._pids.add(Recorded(child.spec.name, process.pid, process.started_at))

    def _gone(self, child: Child) -> None:
        self._watch.remove(child)
        self._warm.gone(child.spec.name, child.process.pid)
        self._pids.remove(child.process.pid)
        self._upkeep.remove(child)

    def _specs(self) -> tuple[ServerSpec, ...]:
        return tuple(slot.spec for slot in self._slots.values())

    def _noticed(self, server: str, notice: Notice) -> None:
        for listener in tuple(self._listeners):
            listener(server, notice)

    def _counted(self, server: str) -> Counted:
        seen = self.snapshot(server)
        return Counted(seen.calls, seen.errors, seen.restarts)


def _unheard(step: str) -> None:
    """Nobody follows the build of an environment for a trial."""
