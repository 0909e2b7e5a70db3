"""A server's place in the supervisor: one owner task holds its child and decides what is next.

Everybody else reads, or posts an order and waits for its answer. Orders that change what should
run interrupt a start that is under way, so that the newest always wins.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

import anyio
from anyio.abc import TaskGroup

from sandboxes.environments import Progress
from sandboxes.errors import SandboxError
from sandboxes.launch import Launch
from sandboxes.outside import Outside
from supervisor.child import Child, Reports, Spawn
from supervisor.errors import (
    EnvironmentFailed,
    NotConfigured,
    ServerUnavailable,
    StartFailed,
    SupervisorError,
)
from supervisor.events import (
    ChildExited,
    ChildReady,
    ChildSpawned,
    EnvironmentProgressed,
    Event,
    Reloaded,
    ReloadRejected,
    ServerState,
    StateChanged,
)
from supervisor.link import Notice
from supervisor.lists import Tool, compare
from supervisor.outlet import Outlet
from supervisor.restart import DeathRecord, RestartPolicy, after_death
from supervisor.spec import ReloadStrategy, ServerSpec
from supervisor.stderr_log import StderrLog

log = logging.getLogger(__name__)

DRAIN_S = 30.0
"""Calls in flight on an old child get this long to finish after new code took over."""


@dataclass(frozen=True, slots=True)
class SlotContext:
    """What a slot is given by the supervisor."""

    emit: Callable[[Event], None]
    launch: Callable[[ServerSpec, Progress], Awaitable[Launch]]
    """Raises NotConfigured, StartFailed or SandboxError when the server cannot be started."""
    spawn: Spawn
    on_spawned: Callable[[Child], None]
    on_gone: Callable[[Child], None]
    on_notice: Callable[[str, Notice], None]
    policy: RestartPolicy
    log: StderrLog
    outside: Outside
    """What children with granted hosts reach."""


class Want(Enum):
    """What an order asks for."""

    START = auto()
    STOP = auto()
    RESTART = auto()
    REPLACE = auto()
    REMOVE = auto()
    LOOK = auto()
    """The child ended or is due again: decide anew."""


@dataclass(eq=False, slots=True)
class Order:
    """A request to the owner task; `done` carries its outcome."""

    want: Want
    done: asyncio.Future[None]
    spec: ServerSpec | None = None


class Slot:
    """The state machine of one server."""

    def __init__(self, spec: ServerSpec, context: SlotContext) -> None:
        self.spec = spec
        self.state = ServerState.STOPPED
        self.reason = "not started yet"
        self.generation = 0
        self.restarts = 0
        self.last_exit: str | None = None
        self.tools: tuple[Tool, ...] = ()
        self.calls_before = 0
        self.errors_before = 0
        self.outlet = Outlet(spec.name, context.outside, context.emit)
        self._context = context
        self._child: Child | None = None
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._starting: anyio.CancelScope | None = None
        self._deaths = DeathRecord()
        self._due_at = math.inf
        self._group: TaskGroup | None = None

    @property
    def current(self) -> Child | None:
        """The child that takes calls now, if there is one."""
        child = self._child
        return child if child is not None and child.alive else None

    @property
    def log(self) -> StderrLog:
        """What its children wrote to standard error."""
        return self._context.log

    @property
    def due_in_s(self) -> float | None:
        """Seconds until the next start by itself; None when none is planned."""
        return None if math.isinf(self._due_at) else max(0.0, self._due_at - time.monotonic())

    async def child_for_call(self) -> Child:
        """Return the child to call, waiting while one is being started.

        Raises:
            ServerUnavailable: nothing is being started, or not in time.
        """
        with anyio.move_on_after(self.spec.start_timeout_s):
            while True:
                if (child := self.current) is not None:
                    return child
                if self.state is not ServerState.STARTING:
                    break
                await self._changed.wait()
        raise ServerUnavailable(self.spec.name, self.state, self.reason, self.due_in_s)

    async def settled(self) -> None:
        """Return when no start is under way or ordered."""
        while self.state is ServerState.STARTING or not self._orders.empty():
            await self._changed.wait()

    async def order(self, want: Want, spec: ServerSpec | None = None) -> None:
        """Post an order and wait until it is carried out.

        Raises:
            StartFailed, NotConfigured, SandboxError: what was asked for could not be started.
        """
        done = self._post(want, spec)
        if self._starting is not None and want is not Want.START:
            self._starting.cancel()
        await done

    def start_soon(self) -> None:
        """Order a start without waiting for it."""
        self._to(ServerState.STARTING, "being started")
        self._post(Want.START).add_done_callback(_observed)

    async def run(self) -> None:
        """Own the slot until it is removed or cancelled; leaves no child behind."""
        try:
            async with anyio.create_task_group() as self._group:
                order: Order | None = None
                while order is None or order.want is not Want.REMOVE:
                    order = await self._next()
                    await self._carry_out(order)
                self._group.cancel_scope.cancel()
        finally:
            await self._stop_child("the supervisor ends")
            self._refuse_orders()
            self._context.log.close()

    async def _next(self) -> Order:
        timeout = None if math.isinf(self._due_at) else max(0.0, self._due_at - time.monotonic())
        with anyio.move_on_after(timeout):
            return await self._orders.get()
        self._due_at = math.inf
        return Order(Want.START, asyncio.get_running_loop().create_future())

    async def _carry_out(self, order: Order) -> None:
        try:
            await self._act(order)
        except (SupervisorError, SandboxError) as error:
            _refuse(order, error)
        except Exception as error:
            log.exception("Server %s failed inside the supervisor", self.spec.name)
            self._to(ServerState.FAILED, f"{error} (inside the supervisor; its log has more)")
            _refuse(order, ServerUnavailable(self.spec.name, self.state, self.reason))
        else:
            if not order.done.done():
                order.done.set_result(None)
        finally:
            self._wake()

    async def _act(self, order: Order) -> None:
        match order.want:
            case Want.START:
                await self._start()
            case Want.STOP | Want.REMOVE:
                await self._stop()
            case Want.RESTART:
                self._deaths = DeathRecord()
                await self._stop_child("restarted on request")
                await self._start()
            case Want.REPLACE:
                assert order.spec is not None
                await self._replace(order.spec)
            case Want.LOOK:
                self._after_exit()

    async def _start(self) -> None:
        if self.current is not None:
            return
        self._due_at = math.inf
        self._to(ServerState.STARTING, "being started")
        try:
            child = await self._new_child(self.spec)
        except (NotConfigured, EnvironmentFailed, SandboxError) as error:
            reason = error.reason if isinstance(error, EnvironmentFailed) else str(error)
            self._to(ServerState.FAILED, reason.rstrip("."))
            raise
        except StartFailed as error:
            self.last_exit = error.reason
            self._plan_restart(0.0, error.reason)
            raise
        if child is None:
            self._to(ServerState.STOPPED, "its start was interrupted")
            return
        self._adopt(child)

    async def _replace(self, spec: ServerSpec) -> None:
        """Bring in new code: beside the old child, or after it where two cannot overlap."""
        old, old_spec = self.current, self.spec
        self._deaths = DeathRecord()
        if old is None or ReloadStrategy.STOP_FIRST in (spec.reload, old_spec.reload):
            await self._stop_child("replaced by new code")
            self.spec = spec
            await self._start()
            return
        try:
            child = await self._new_child(spec)
        except (SupervisorError, SandboxError) as error:
            self._context.emit(ReloadRejected(spec.name, str(error)))
            self._after_exit()
            raise
        if child is None:
            reason = "superseded by a newer change"
            self._context.emit(ReloadRejected(spec.name, reason))
            raise StartFailed(spec.name, reason)
        self.spec = spec
        changes = compare(self.tools, child.tools)
        self._adopt(child)
        self._context.emit(
            Reloaded(spec.name, child.generation, changes.added, changes.removed, changes.changed)
        )
        assert self._group is not None
        self._group.start_soon(self._retire, old)

    async def _new_child(self, spec: ServerSpec) -> Child | None:
        """Return a child that is ready, or None when a newer order interrupted the start."""
        self.generation += 1
        reports = Reports(self._spawned, self._exited, self._noticed)
        child = Child(
            spec,
            self.generation,
            spawn=self._context.spawn,
            log=self._context.log,
            reports=reports,
        )
        with anyio.CancelScope() as self._starting:
            try:
                launch = await self._context.launch(spec, self._note)
                self._explain("being started")
                await child.start(launch)
                return child
            finally:
                self._starting = None
        return None

    def _note(self, step: str) -> None:
        """Tell how far the build of the server's environment is."""
        self.log.write(f"{step}\n".encode())
        self._explain(f"building its environment: {step}")
        self._context.emit(EnvironmentProgressed(self.spec.name, step))

    def _explain(self, reason: str) -> None:
        # While old code serves, the state is its own.
        if self.state is ServerState.STARTING:
            self.reason = reason

    def _adopt(self, child: Child) -> None:
        self._child = child
        self.tools = child.tools
        self._due_at = math.inf
        took = child.ready_at - child.process.spawned_at if child.ready_at else 0.0
        self._context.emit(
            ChildReady(
                self.spec.name,
                child.generation,
                child.process.pid,
                child.handshake.era,
                len(child.tools),
                took,
            )
        )
        self._to(ServerState.READY, "")

    async def _retire(self, old: Child) -> None:
        try:
            await old.drain(DRAIN_S)
        finally:
            await old.stop("replaced by new code")

    async def _stop(self) -> None:
        self._due_at = math.inf
        if self.current is not None:
            self._to(ServerState.STOPPING, "being stopped")
        await self._stop_child("stopped on request")
        self._to(ServerState.DISABLED, "disabled")

    async def _stop_child(self, reason: str) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop(reason)

    def _after_exit(self) -> None:
        """Plan the next start when the current child has died unasked."""
        child = self._child
        if child is None or child.alive:
            return
        self._child = None
        self.last_exit = child.exit_reason
        self.restarts += 1
        ready_for_s = (child.ready_at and time.monotonic() - child.ready_at) or 0.0
        self._plan_restart(ready_for_s, child.exit_reason or "gone")

    def _plan_restart(self, ready_for_s: float, reason: str) -> None:
        verdict = after_death(
            self._context.policy,
            self._deaths,
            now=time.monotonic(),
            ready_for_s=ready_for_s,
            luck=random.uniform(-1, 1),  # noqa: S311 - spreads restarts, guards nothing
        )
        self._deaths = verdict.record
        self._due_at = time.monotonic() + verdict.delay_s
        if verdict.quarantined:
            deaths = len(verdict.record.recent)
            text = f"{reason}; it died {deaths} times in a short while"
            self._to(ServerState.QUARANTINED, text)
        elif verdict.delay_s == 0:
            self._to(ServerState.STARTING, f"restarting at once after: {reason}")
        else:
            self._to(ServerState.BACKOFF, f"{reason}; next start in {verdict.delay_s:.1f} s")

    def _spawned(self, child: Child) -> None:
        self._context.on_spawned(child)
        assert self._group is not None
        self._group.start_soon(self.outlet.serve, child.process)
        self._context.emit(ChildSpawned(self.spec.name, child.generation, child.process.pid))

    def _exited(self, child: Child) -> None:
        self._context.on_gone(child)
        self.calls_before += child.link.counters.calls
        self.errors_before += child.link.counters.errors + child.calls_failed
        self._context.emit(
            ChildExited(
                self.spec.name,
                child.generation,
                child.process.pid,
                child.exit_reason or "gone",
                child.wanted_exit,
                child.ready_for_s,
                child.calls_failed,
                child.log.tail(),
            )
        )
        if child is self._child and not child.wanted_exit:
            self._to(ServerState.STARTING, f"{child.exit_reason}; deciding on a restart")
            self._post(Want.LOOK)

    def _noticed(self, child: Child, notice: Notice) -> None:
        if child is self._child:
            if notice.method == "notifications/tools/list_changed" and self._group is not None:
                self._group.start_soon(self._refresh, child)
            self._context.on_notice(self.spec.name, notice)

    async def _refresh(self, child: Child) -> None:
        with anyio.move_on_after(self.spec.start_timeout_s):
            try:
                await child.refresh_tools()
            except SupervisorError:
                # The last good list stays; a child that died is dealt with by its exit.
                return
            if child is self._child:
                self.tools = child.tools

    def _post(self, want: Want, spec: ServerSpec | None = None) -> asyncio.Future[None]:
        order = Order(want, asyncio.get_running_loop().create_future(), spec)
        self._orders.put_nowait(order)
        return order.done

    def _refuse_orders(self) -> None:
        while not self._orders.empty():
            order = self._orders.get_nowait()
            _refuse(order, ServerUnavailable(self.spec.name, self.state, "it was removed"))

    def _to(self, state: ServerState, reason: str) -> None:
        before, self.state, self.reason = self.state, state, reason
        if before is not state:
            self._context.emit(StateChanged(self.spec.name, before, state, reason))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _refuse(order: Order, error: Exception) -> None:
    if not order.done.done():
        order.done.set_exception(error)
        _observed(order.done)


def _observed(done: asyncio.Future[None]) -> None:
    """Read the outcome so that asyncio does not report it as never retrieved."""
    if done.done() and not done.cancelled():
        done.exception()
