"""Brings a server's state about in the supervisor, and reports what came of it.

Above: `servers`, `disk`, which hold the server's turn. Below: supervisor, switches, credentials.
"""

from collections.abc import Awaitable

from gateway.credentials import Credentials
from gateway.servers.known import Known
from gateway.servers.report import (
    CredentialStatus,
    Failure,
    ServerReport,
    credential_statuses,
    failure_of,
)
from gateway.servers.shelf import Shelf
from gateway.store import Store
from sandboxes.errors import SandboxError
from supervisor.errors import NotConfigured, StartFailed, UnknownServer
from supervisor.events import ServerState
from supervisor.spec import ServerSpec
from supervisor.supervisor import Supervisor

SETTLE_S = 5.0
"""Beyond its start time-out a server gets this long to be restarted once or to give up."""


class Operation:
    """Starts, replaces and stops servers, each according to its switch."""

    def __init__(
        self,
        known: Known,
        shelf: Shelf,
        *,
        supervisor: Supervisor,
        store: Store,
        credentials: Credentials,
    ) -> None:
        self._known = known
        self._shelf = shelf
        self._supervisor = supervisor
        self._store = store
        self._credentials = credentials

    async def apply(self, spec: ServerSpec) -> ServerReport:
        """Bring in a server, or its new code, if it is on, and report."""
        enabled = await self.is_enabled(spec)
        self._known.note_tried(spec)
        return await self.settle(spec, self._supervisor.apply(spec, enabled=enabled))

    def is_asleep(self, name: str) -> bool:
        """Tell whether a server has no child because nobody calls it."""
        try:
            return self._supervisor.snapshot(name).state is ServerState.STOPPED
        except UnknownServer:
            return False

    async def settle(self, spec: ServerSpec, change: Awaitable[None]) -> ServerReport:
        """Carry out a change in the supervisor, wait until it has settled, and report."""
        try:
            await change
        except (StartFailed, NotConfigured, SandboxError) as error:
            tail = error.stderr_tail if isinstance(error, StartFailed) else ()
            return await self.report(spec, Failure(str(error), tail))
        seen = await self._supervisor.wait_settled(spec.name, spec.start_timeout_s + SETTLE_S)
        return await self.report(spec, failure_of(seen))

    async def report(self, spec: ServerSpec, failure: Failure | None = None) -> ServerReport:
        """Return a server as it is now. Raises UnknownServer: the supervisor has it no more."""
        return ServerReport(
            spec=spec,
            snapshot=self._supervisor.snapshot(spec.name),
            metrics=self._supervisor.metrics(spec.name),
            enabled=await self.is_enabled(spec),
            # Of this description, which new code that was refused does not leave behind.
            credentials=await self.statuses(spec),
            failure=failure,
        )

    async def statuses(self, spec: ServerSpec) -> tuple[CredentialStatus, ...]:
        """Return what a server declares and what is set."""
        return credential_statuses(spec, tuple(await self._credentials.masked(spec.name)))

    async def is_enabled(self, spec: ServerSpec) -> bool:
        """Return the switch; as long as nobody chose, what its metadata says."""
        switch = await self._store.servers.enabled(spec.name)
        return not self._shelf.is_off(spec.name) if switch is None else switch
