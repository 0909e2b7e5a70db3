"""The children of a `per_session` server: one for each tenant, beside the one that keeps the lists.

A tenant's child is started with its first call and is its own until one of them ends. Above:
`slot`, whose task group owns every start and every stop.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from sandboxes.errors import SandboxError
from supervisor.children.child import Child
from supervisor.errors import NotTaken, ServerUnavailable, SupervisorError, TooManyInstances
from supervisor.events import ServerState
from supervisor.slots.births import Births
from supervisor.slots.followed import Followed
from supervisor.slots.levels import Levels
from supervisor.slots.orders import observed
from supervisor.slots.planning import RestartPlan
from supervisor.slots.reload import DRAIN_S, REPLACED
from supervisor.slots.restart import Life, RestartPolicy
from supervisor.spec import ServerSpec
from supervisor.tenant import Tenant

OLD_CODE_S = 3600.0
"""An instance of old code is stopped this long after a reload, once nobody is calling it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One running instance, as others see it."""

    holder: str
    pid: int
    generation: int
    uptime_s: float
    in_flight: int
    calls: int
    """Of this process."""


class Instance:
    """A tenant's place at a server."""

    def __init__(
        self,
        server: str,
        tenant: Tenant,
        begin: Callable[["Instance"], Awaitable[None]],
        plan: RestartPlan,
    ) -> None:
        """`begin` starts its child in the background, or raises why there is none."""
        self.tenant = tenant
        self.child: Child | None = None
        self.starting: asyncio.Future[Child] | None = None
        self.scope = anyio.CancelScope()
        """Of the start that is under way."""
        self.followed = Followed(server, self.child_for_call)
        self.levels = Levels()
        self.plan = plan
        self.due_at = 0.0
        """Monotonic: not started before, because its last child died."""
        self.why = ""
        self.outdated_at: float | None = None
        """When newer code took over from its child's."""
        self._begin = begin

    @property
    def current(self) -> Child | None:
        """Its child, if there is one that takes calls."""
        return self.child if self.child is not None and self.child.alive else None

    async def child_for_call(self) -> Child:
        """Return its child; when there is none it is started, and all callers share the start.

        Raises:
            ServerUnavailable, StartFailed, NotConfigured, SandboxError: there is none, and why.
        """
        while (child := self.current) is None:
            if self.starting is not None:
                return await asyncio.shield(self.starting)
            await self._begin(self)
        return child

    async def send(self, send: Callable[[Child], T]) -> T:
        """Have a call sent to its child; return what `send` does.

        Raises:
            ServerUnavailable, StartFailed, NotConfigured, SandboxError: there is none, and why.
            ChildDied: it has stopped reading.
        """
        while True:
            child = await self.child_for_call()
            try:
                return send(child)
            except NotTaken as error:
                # It closed its input and ends; one that lives on without takes no call any more.
                with anyio.move_on_after(child.spec.start_timeout_s) as patience:
                    await child.process.wait()
                if patience.cancelled_caught:
                    raise error from None

    def idle_left_s(self, limit_s: float | None, now: float) -> float | None:
        """Return the seconds until its child is to be stopped; None when it may stay."""
        child = self.current
        if child is None:
            return None
        limits = [self.tenant.idle_stop_s if limit_s is None else limit_s]
        lefts = [child.link.idle_since + limit - now for limit in limits if limit is not None]
        if self.outdated_at is not None:
            lefts.append(self.outdated_at + OLD_CODE_S - now)
        if not lefts:
            return None
        # One with a call in flight is looked at again when it could be due at the earliest.
        return max(min(lefts), 1.0) if child.link.in_flight else min(lefts)


class Instances:
    """All instances of one server, by tenant."""

    def __init__(
        self,
        births: Births,
        *,
        spec: Callable[[], ServerSpec],
        open_door: Callable[[], Awaitable[None]],
        on_adopted: Callable[[Instance], None],
        policy: RestartPolicy,
    ) -> None:
        """`open_door` returns once the server may start instances, or raises why it may not."""
        self._births = births
        self._spec = spec
        self._open_door = open_door
        self._on_adopted = on_adopted
        self._policy = policy
        self._instances: dict[str, Instance] = {}
        self._leaving: set[Child] = set()
        self._group: TaskGroup | None = None

    def begin(self, group: TaskGroup) -> None:
        """Start and stop children in this group from now on."""
        self._group = group

    def of(self, tenant: Tenant) -> Instance:
        """Return a tenant's place; it has no child before its first call."""
        instance = self._instances.get(tenant.key)
        if instance is None:
            plan = RestartPlan(self._policy)
            instance = Instance(self._spec().name, tenant, self._start, plan)
            self._instances[tenant.key] = instance
        return instance

    def holder_of(self, child: Child) -> str | None:
        """Return the key of the tenant whose child this is; None when it is nobody's."""
        return next((key for key, one in self._instances.items() if one.child is child), None)

    def children(self) -> tuple[Child, ...]:
        """Return every child that takes calls or finishes some."""
        running = (one.current for one in self._instances.values())
        return (*(child for child in running if child is not None), *self._leaving)

    def views(self) -> tuple[InstanceView, ...]:
        """Return the running ones, oldest first."""
        return tuple(
            InstanceView(
                one.tenant.shown,
                child.process.pid,
                child.generation,
                child.ready_for_s,
                child.link.in_flight,
                child.link.counters.calls,
            )
            for one in self._instances.values()
            if (child := one.current) is not None
        )

    def end(self, key: str, reason: str) -> None:
        """Let a tenant go: its child is stopped in the background, its calls fail."""
        instance = self._instances.pop(key, None)
        if instance is not None:
            instance.scope.cancel()
            self._part(instance, reason, drain_s=0.0)

    async def end_all(self, reason: str) -> None:
        """Stop every child; return when they are gone. Tenants that stay get new ones."""
        for instance in self._instances.values():
            instance.scope.cancel()
            instance.plan.forget()
            instance.due_at = 0.0
            self._release(instance)
        async with anyio.create_task_group() as group:
            for child in tuple(self._leaving):
                group.start_soon(self._see_off, child, reason, 0.0)

    def outdate(self) -> None:
        """Note that newer code took over: sessions keep what they have, new ones get the new."""
        now = time.monotonic()
        for instance in self._instances.values():
            if instance.current is not None and instance.outdated_at is None:
                instance.outdated_at = now
            instance.plan.forget()
            instance.due_at = 0.0

    def retire_all(self) -> None:
        """Drain and stop every child in the background: the server has one for all from now on."""
        for key in tuple(self._instances):
            self._part(self._instances.pop(key), REPLACED, drain_s=DRAIN_S)

    def exited(self, child: Child) -> bool:
        """Note the death of a tenant's child; False when it was none, or was wanted."""
        key = self.holder_of(child)
        if key is None or child.wanted_exit:
            return False
        self._died(self._instances[key], child.exit_reason or "gone", child.life)
        return True

    def idle_left_s(self) -> float | None:
        """Return the seconds until the first child is to be stopped; None: none ever."""
        limit_s, now = self._spec().idle_stop_s, time.monotonic()
        lefts = [one.idle_left_s(limit_s, now) for one in self._instances.values()]
        return min((left for left in lefts if left is not None), default=None)

    def doze(self) -> None:
        """Stop the children that are due; their tenants' next calls start new ones."""
        limit_s, now = self._spec().idle_stop_s, time.monotonic()
        for instance in tuple(self._instances.values()):
            left_s = instance.idle_left_s(limit_s, now)
            if left_s is not None and left_s <= 0:
                self._part(instance, "nobody called it", drain_s=0.0)

    async def _start(self, instance: Instance) -> None:
        await self._open_door()
        if instance.starting is not None or instance.current is not None:
            return
        server, now = self._spec().name, time.monotonic()
        if self._instances.get(instance.tenant.key) is not instance:
            raise ServerUnavailable(server, ServerState.STOPPED, "its session has ended")
        if now < instance.due_at:
            wait_s = instance.due_at - now
            raise ServerUnavailable(server, ServerState.BACKOFF, instance.why, wait_s)
        holders = [o for o in self._instances.values() if o.current or o.starting]
        if len(holders) >= self._spec().max_instances:
            raise TooManyInstances(server, tuple(one.tenant.shown for one in holders))
        instance.starting = asyncio.get_running_loop().create_future()
        instance.starting.add_done_callback(observed)
        instance.scope = anyio.CancelScope()
        assert self._group is not None
        self._group.start_soon(self._bring_up, instance, instance.starting)

    async def _bring_up(self, instance: Instance, done: asyncio.Future[Child]) -> None:
        spec, tenant = self._spec(), instance.tenant
        try:
            with instance.scope:
                child = await self._births.instance(spec, tenant)
                instance.child, instance.outdated_at = child, None
                self._on_adopted(instance)
                done.set_result(child)
        except (SupervisorError, SandboxError) as error:
            self._died(instance, str(error).rstrip("."), Life())
            done.set_exception(error)
        finally:
            instance.starting = None
            if not done.done():
                reason = "the start of an instance was given up"
                done.set_exception(ServerUnavailable(spec.name, ServerState.STOPPED, reason))

    def _died(self, instance: Instance, reason: str, life: Life) -> None:
        planned = instance.plan.after(reason, life)
        instance.child = None
        instance.due_at = time.monotonic() + planned.delay_s
        instance.why = f"the instance of {instance.tenant.shown}: {planned.reason}"

    def _part(self, instance: Instance, reason: str, *, drain_s: float) -> None:
        child = self._release(instance)
        if child is not None and self._group is not None:
            self._group.start_soon(self._see_off, child, reason, drain_s)

    def _release(self, instance: Instance) -> Child | None:
        child = instance.current
        instance.child = instance.outdated_at = None
        if child is not None:
            self._leaving.add(child)
        return child

    async def _see_off(self, child: Child, reason: str, drain_s: float) -> None:
        try:
            await child.drain(drain_s)
        finally:
            await child.stop(reason)
            self._leaving.discard(child)
