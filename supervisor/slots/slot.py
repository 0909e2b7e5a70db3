"""A server's place in the supervisor: one owner task holds its child and decides what is next.

Everybody else reads, or posts an order and waits for its answer. Orders that change what should
run interrupt a start that is under way, so that the newest always wins.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from sandboxes.errors import SandboxError
from supervisor.children.asking import ChildRequest
from supervisor.children.call import Notice
from supervisor.children.child import Child, Reports
from supervisor.children.crash_log import CrashLog
from supervisor.children.lists import Tool
from supervisor.children.stderr_log import StderrLog
from supervisor.errors import (
    CannotStart,
    NotConfigured,
    NotTaken,
    ServerUnavailable,
    StartFailed,
    SupervisorError,
)
from supervisor.events import (
    EnvironmentProgressed,
    NotifyAsked,
    ReloadRejected,
    ServerState,
    StateChanged,
)
from supervisor.slots import tidings
from supervisor.slots.births import Births
from supervisor.slots.context import SlotContext
from supervisor.slots.followed import Followed
from supervisor.slots.instances import Instance, Instances
from supervisor.slots.levels import Levels
from supervisor.slots.orders import Order, Orders, Want, observed
from supervisor.slots.outlet import Outlet
from supervisor.slots.planning import RestartPlan
from supervisor.slots.reload import REPLACED, may_overlap, reloaded, retire, successor
from supervisor.slots.restart import Life
from supervisor.slots.states import Standing
from supervisor.slots.tool_list import TOOLS_CHANGED, ToolList
from supervisor.spec import Instances as InstanceKind
from supervisor.spec import ServerSpec, StartTime
from supervisor.tenant import Tenant

log = logging.getLogger(__name__)

ASLEEP = "starts with its next call"

T = TypeVar("T")


class Slot:
    """The state machine of one server."""

    def __init__(self, spec: ServerSpec, context: SlotContext, *, enabled: bool) -> None:
        self.spec = spec
        self.restarts = 0
        self.last_exit: str | None = None
        self.rejected: str | None = None
        """Why newer code than that of the present child is not running."""
        self.calls_before = 0
        self.errors_before = 0
        self.pins = context.pins
        self.pins.listen(self._served_changed)
        self.outlet = Outlet(spec.name, context.outside, context.emit)
        self.followed = Followed(spec.name, self.child_for_call)
        self.levels = Levels()
        self._context = context
        self._list = ToolList(spec.name, context)
        self._standing = Standing(spec.name, *_beginning(enabled), on_change=self._state_changed)
        self._child: Child | None = None
        self._orders = Orders()
        self._births = Births(
            context, Reports(self._spawned, self._exited, self._noticed, self._asked)
        )
        self.instances = Instances(
            self._births,
            spec=lambda: self.spec,
            open_door=self._may_have_instances,
            on_adopted=self._instance_adopted,
            policy=context.policy,
        )
        self._plan = RestartPlan(context.policy)
        self._group: TaskGroup | None = None
        self._dozing = False
        self._listing = False

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools of its newest child that became ready, also while none runs."""
        return self._list.tools

    @property
    def idle_left_s(self) -> float | None:
        """Seconds until a child of it has been idle for too long; None when all may stay."""
        if self._dozing:
            return None
        lefts = (self._own_idle_left_s(), self.instances.idle_left_s())
        return min((left for left in lefts if left is not None), default=None)

    def _own_idle_left_s(self) -> float | None:
        child, limit_s = self.current, self.spec.idle_stop_s
        if child is None or limit_s is None:
            return None
        if child.link.in_flight:
            return limit_s
        return child.link.idle_since + limit_s - time.monotonic()

    @property
    def state(self) -> ServerState:
        """The state now."""
        return self._standing.state

    @property
    def reason(self) -> str:
        """Why it is in this state; empty when ready."""
        return self._standing.reason

    @property
    def generation(self) -> int:
        """The number of the last child that was started."""
        return self._births.generation

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
    def crashes(self) -> CrashLog:
        """Why its last children died or did not start."""
        return self._context.crashes

    def place(self, tenant: Tenant) -> "Slot | Instance":
        """Return where a tenant's calls go: to its own instance, or to the child of all."""
        if self.spec.instances is InstanceKind.SHARED:
            return self
        return self.instances.of(tenant)

    async def child_for_call(self) -> Child:
        """Return the child to call, waiting while one is being started.

        One that was stopped for being idle is started; all its callers share that start.

        Raises:
            ServerUnavailable: nothing is being started, or not in time.
        """
        with anyio.move_on_after(self.spec.start_timeout_s):
            while (child := self.current) is None:
                if self.state is ServerState.STOPPED:
                    self._start_soon(Want.WAKE)
                if self.state not in (ServerState.STARTING, ServerState.STOPPING):
                    break
                await self._standing.changed()
            else:
                return child
        raise self._unavailable()

    async def send(self, send: Callable[[Child], T]) -> T:
        """Have a call sent to the child that takes calls; return what `send` does.

        A child that died unnoticed took nothing of the call: its successor gets it.

        Raises:
            ServerUnavailable: nothing is being started, or not in time.
            ChildDied: the child has stopped reading.
        """
        child = self.current
        if child is not None:
            try:
                return send(child)
            except NotTaken:
                pass  # its successor, that is
        return await self._send_to_successor(send)

    async def _send_to_successor(self, send: Callable[[Child], T]) -> T:
        with anyio.move_on_after(self.spec.start_timeout_s):
            while True:
                child = await self.child_for_call()
                try:
                    return send(child)
                except NotTaken:
                    await self._standing.changed()
        raise self._unavailable()

    async def settled(self) -> None:
        """Return when no start is under way or ordered."""
        while self.state is ServerState.STARTING or not self._orders.empty:
            await self._standing.changed()

    async def order(self, want: Want, spec: ServerSpec | None = None) -> None:
        """Post an order and wait until it is carried out.

        Raises:
            StartFailed, NotConfigured, SandboxError: what was asked for could not be started.
        """
        done = self._orders.post(want, spec)
        if want is not Want.START:
            self._births.interrupt()
        await done

    def reject(self, reason: str) -> None:
        """Note and tell why newer code is not running; whatever ran goes on."""
        self.rejected = reason.rstrip(".")
        self._context.emit(ReloadRejected(self.spec.name, self.rejected))

    def approve(self, tool: str, digest: str) -> None:
        """Serve a quarantined tool with the definition that has this digest. Raises NotPending."""
        self.pins.approve(tool, digest)
        if self.state is ServerState.STOPPED:
            self._start_soon(Want.WAKE)

    def begin(self) -> None:
        """Order the first start, unless that is for the first call to do."""
        if self.spec.start is StartTime.LAZY and self._list.recall(self.spec.digest):
            self._standing.to(ServerState.STOPPED, ASLEEP)
        else:
            self._start_soon(Want.START)

    def doze(self) -> None:
        """Order that its child is stopped if it still is idle then."""
        self._dozing = True
        self._orders.post(Want.DOZE).add_done_callback(observed)

    def _start_soon(self, want: Want) -> None:
        self._standing.to(ServerState.STARTING, "being started")
        self._orders.post(want).add_done_callback(observed)

    async def run(self) -> None:
        """Own the slot until it is removed or cancelled; leaves no child behind."""
        try:
            async with anyio.create_task_group() as self._group:
                self.instances.begin(self._group)
                order: Order | None = None
                while order is None or order.want is not Want.REMOVE:
                    order = await self._orders.next()
                    await self._carry_out(order)
                self._group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self.instances.end_all("the supervisor ends")
            await self._stop_child("the supervisor ends")
            removed = ServerUnavailable(self.spec.name, self.state, "it was removed")
            self._orders.refuse_all(removed)
            self._context.log.close()

    async def _carry_out(self, order: Order) -> None:
        try:
            await self._act(order)
        except (SupervisorError, SandboxError) as error:
            order.refuse(error)
        except Exception as error:
            log.exception("Server %s failed inside the supervisor", self.spec.name)
            reason = f"{error} (inside the supervisor; its log has more)"
            self._standing.to(ServerState.FAILED, reason)
            order.refuse(self._unavailable())
        else:
            order.fulfil()
        finally:
            self._standing.wake()

    async def _act(self, order: Order) -> None:
        match order.want:
            case Want.START:
                await self._start()
            case Want.WAKE:
                if self.state is ServerState.STARTING:
                    await self._start()
            case Want.DOZE:
                await self._doze()
            case Want.STOP | Want.REMOVE:
                await self._stop()
            case Want.RESTART:
                self._plan.forget()
                await self.instances.end_all("restarted on request")
                await self._stop_child("restarted on request")
                await self._start()
            case Want.REPLACE:
                assert order.spec is not None
                await self._replace(order.spec)
            case Want.LOOK:
                self._after_exit()
            case Want.LIST:
                self._list_anew()

    async def _start(self) -> None:
        if self.current is not None:
            return
        self._orders.forget_plan()
        self._standing.to(ServerState.STARTING, "being started")
        try:
            child = await self._new_child(self.spec)
        except (NotConfigured, CannotStart, SandboxError) as error:
            reason = error.reason if isinstance(error, CannotStart) else str(error)
            self._standing.to(ServerState.FAILED, reason.rstrip("."))
            raise
        except StartFailed as error:
            self.last_exit = error.reason
            self._plan_restart(Life(), error.reason)
            raise
        if child is None:
            self._standing.to(ServerState.STOPPED, "its start was interrupted")
            return
        self._adopt(child)

    async def _doze(self) -> None:
        self._dozing = False
        self.instances.doze()
        left_s = self._own_idle_left_s()
        if left_s is not None and left_s <= 0:
            self._standing.to(ServerState.STOPPING, "being stopped, because nobody calls it")
            await self._stop_child("nobody called it")
            self._standing.to(ServerState.STOPPED, ASLEEP)
        self._context.on_ready()

    async def _replace(self, spec: ServerSpec) -> None:
        """Bring in new code: beside the old child, or after it where two cannot overlap."""
        old = self.current
        self._plan.forget()
        self.rejected = None
        if old is None or not may_overlap(self.spec, spec):
            if not may_overlap(self.spec, spec):
                await self.instances.end_all(REPLACED)
            self._instances_outdated(spec)
            await self._stop_child(REPLACED)
            self.spec = spec
            await self._start()
            return
        try:
            child = await successor(spec, self._new_child, self.tools)
        except (SupervisorError, SandboxError) as error:
            self.reject(error.reason if isinstance(error, StartFailed) else str(error))
            # The old one may have died meanwhile.
            self._after_exit()
            raise
        self._instances_outdated(spec)
        self.spec, before = spec, self.tools
        self._adopt(child)
        self._context.emit(reloaded(child, before))
        assert self._group is not None
        self._group.start_soon(retire, old)

    def _instances_outdated(self, spec: ServerSpec) -> None:
        if spec.instances is InstanceKind.SHARED:
            self.instances.retire_all()
        else:
            self.instances.outdate()

    async def _may_have_instances(self) -> None:
        """Return once the server is switched on and its newest code is known to work."""
        with anyio.move_on_after(self.spec.start_timeout_s):
            while self.state in (ServerState.STARTING, ServerState.STOPPING):
                await self._standing.changed()
        if self.state not in (ServerState.READY, ServerState.STOPPED):
            raise self._unavailable()

    def _instance_adopted(self, instance: Instance) -> None:
        child = instance.current
        if child is not None and self._group is not None:
            child.screen.settle()
            instance.levels.adopt(child)
            self._group.start_soon(instance.followed.adopt, child)
            self._context.emit(tidings.ready(child))
            self._context.on_ready()

    async def _new_child(self, spec: ServerSpec) -> Child | None:
        return await self._births.child(
            spec, on_step=self._note, on_launch=lambda: self._explain("being started")
        )

    def _note(self, step: str) -> None:
        """Tell how far the build of the server's environment is."""
        self.log.write(f"{step}\n".encode())
        self._explain(f"building its environment: {step}")
        self._context.emit(EnvironmentProgressed(self.spec.name, step))

    def _explain(self, reason: str) -> None:
        # While old code serves, the state is its own.
        if self.state is ServerState.STARTING:
            self._standing.explain(reason)

    def _adopt(self, child: Child) -> None:
        self._child = child
        child.screen.settle()
        self._list.adopt(child)
        self.levels.adopt(child)
        assert self._group is not None
        self._group.start_soon(self.followed.adopt, child)
        self._orders.forget_plan()
        self._context.emit(tidings.ready(child))
        self._standing.to(ServerState.READY, "")
        self._context.on_ready()

    async def _stop(self) -> None:
        self._orders.forget_plan()
        if self.current is not None:
            self._standing.to(ServerState.STOPPING, "being stopped")
        await self._stop_child("stopped on request")
        await self.instances.end_all("stopped on request")
        self._standing.to(ServerState.DISABLED, "disabled")

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
        self._plan_restart(child.life, child.exit_reason or "gone")

    def _plan_restart(self, life: Life, reason: str) -> None:
        planned = self._plan.after(reason, life)
        self._orders.plan_start(planned.delay_s)
        self._standing.to(planned.state, planned.reason)

    def _spawned(self, child: Child) -> None:
        self._context.on_spawned(child)
        assert self._group is not None
        self._group.start_soon(self.outlet.serve, child.process)
        self._context.emit(tidings.spawned(child))

    def _exited(self, child: Child) -> None:
        self._context.on_gone(child)
        self.calls_before += child.link.counters.calls
        self.errors_before += child.link.counters.errors + child.calls_failed
        if child.crash is not None:
            self.crashes.add(child.crash)
        self._context.emit(tidings.exited(child))
        if child is self._child and not child.wanted_exit:
            reason = f"{child.exit_reason}; deciding on a restart"
            self._standing.to(ServerState.STARTING, reason)
            self._orders.post(Want.LOOK)
        elif self.instances.exited(child):
            self.last_exit = child.exit_reason
            self.restarts += 1

    def _asked(self, child: Child, request: ChildRequest) -> None:
        self._context.emit(NotifyAsked(child.spec.name, request))

    def _noticed(self, child: Child, notice: Notice) -> None:
        if (holder := self.instances.holder_of(child)) is not None:
            self._context.on_notice(self.spec.name, replace(notice, tenant=holder))
        if child is not self._child:
            return
        if notice.method != TOOLS_CHANGED:
            self._context.on_notice(self.spec.name, notice)
        else:
            self._list.note_stale(said=True)
            self._list_soon()

    def _served_changed(self) -> None:
        self._list.note_stale()
        self._list_soon()

    def _list_soon(self) -> None:
        if not self._listing:
            self._listing = True
            # Told from the pipe, outside of any task; a task is the owner's to start.
            self._orders.post(Want.LIST).add_done_callback(observed)

    def _list_anew(self) -> None:
        assert self._group is not None
        self._group.start_soon(self._list_until_fresh)

    async def _list_until_fresh(self) -> None:
        try:
            while self._list.stale and (child := self.current) is not None:
                await self._list.refresh(child)
        finally:
            self._listing = False

    def _state_changed(self, before: ServerState, after: ServerState, reason: str) -> None:
        self._context.emit(StateChanged(self.spec.name, before, after, reason))

    def _unavailable(self) -> ServerUnavailable:
        due_in_s = self._orders.due_in_s
        return ServerUnavailable(self.spec.name, self.state, self.reason, due_in_s)


def _beginning(enabled: bool) -> tuple[ServerState, str]:  # noqa: FBT001 - the server's switch
    state = ServerState.STOPPED if enabled else ServerState.DISABLED
    return state, "not started yet" if enabled else "disabled"
