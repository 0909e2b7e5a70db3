"""Brings up the children of one server, one generation after the other. Above: `slot`."""

from collections.abc import Callable

import anyio

from supervisor.children.child import Child, Reports
from supervisor.slots.context import SlotContext
from supervisor.spec import ServerSpec
from supervisor.tenant import Tenant


class Births:
    """Counts generations and starts each of them; a newer order interrupts a start."""

    def __init__(self, context: SlotContext, reports: Reports) -> None:
        self.generation = 0
        self._context = context
        self._reports = reports
        self._scope: anyio.CancelScope | None = None

    async def child(
        self,
        spec: ServerSpec,
        *,
        on_step: Callable[[str], None],
        on_launch: Callable[[], None],
    ) -> Child | None:
        """Return a child that is ready, or None when a newer order interrupted the start.

        Args:
            spec: From what it is started.
            on_step: Told of each step of the build of its environment.
            on_launch: Told when its environment is there.

        Raises:
            StartFailed, NotConfigured, SandboxError: there is none, and nothing of it is left.
        """
        with anyio.CancelScope() as self._scope:
            try:
                return await self._start(spec, None, on_step, on_launch)
            finally:
                self._scope = None
        return None

    async def instance(self, spec: ServerSpec, tenant: Tenant) -> Child:
        """Return a child of a tenant's own that is ready. No order interrupts it.

        Raises:
            StartFailed, NotConfigured, SandboxError: there is none, and nothing of it is left.
        """
        return await self._start(spec, tenant, _unheard, _nothing)

    def interrupt(self) -> None:
        """Give up a start that is under way."""
        if self._scope is not None:
            self._scope.cancel()

    async def _start(
        self,
        spec: ServerSpec,
        tenant: Tenant | None,
        on_step: Callable[[str], None],
        on_launch: Callable[[], None],
    ) -> Child:
        self.generation += 1
        child = Child(
            spec,
            self.generation,
            spawn=self._context.spawn,
            log=self._context.log,
            reports=self._reports,
            screen=self._context.screen(spec),
        )
        if tenant is not None:
            child.introduction = tenant.introduction
            child.link.resident = tenant.owner
        launch = await self._context.launch(spec, on_step)
        on_launch()
        await child.start(launch)
        return child


def _unheard(step: str) -> None:
    """Whoever waits for an instance is told of its environment by the server's own start."""


def _nothing() -> None:
    """The state of a server is not that of one instance."""
