"""Grants and takes back what a fixed server may do beside its metadata.

Above: `/local/grants`, and pages. Below: `grants`, which keeps them.
"""

from pathlib import Path

from anyio import to_thread

from gateway.servers.grants import GrantFiles, Grants, check, granted
from gateway.servers.known import Known
from gateway.servers.operation import Operation
from gateway.servers.report import ServerReport
from gateway.servers.shelf import Shelf
from supervisor.errors import InvalidServer
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor


class Granting:
    """What the owner does; no model has a way here."""

    def __init__(
        self,
        files: GrantFiles,
        known: Known,
        shelf: Shelf,
        operation: Operation,
        supervisor: Supervisor,
    ) -> None:
        self._files = files
        self._known = known
        self._shelf = shelf
        self._operation = operation
        self._supervisor = supervisor

    async def of(self, name: str) -> Grants:
        """Return what a fixed server was granted. Raises UnknownServer, InvalidServer."""
        self._known.spec(name, ServerKind.FIXED)
        return await to_thread.run_sync(self._files.read, name)

    async def grant(self, name: str, more: Grants, private: tuple[Path, ...]) -> ServerReport:
        """Grant more, start the server with it if it is on, and report.

        `private`: folders and files that no server may see.

        Raises UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._known.turn(name):
            spec = self._known.spec(name, ServerKind.FIXED)
            wanted = (await to_thread.run_sync(self._files.read, name)).with_more(more)
            await to_thread.run_sync(check, name, wanted, private)
            granted(spec, wanted)
            await to_thread.run_sync(self._files.write, name, wanted)
            return await self._operation.apply(await self._read(name))

    async def revoke(self, name: str) -> ServerReport:
        """Take everything back that was granted, and report; no child keeps it.

        Raises UnknownServer, InvalidServer: nothing was changed.
        """
        async with self._known.turn(name):
            # One whose grants cannot be read is not known.
            if name in self._known or not await to_thread.run_sync(self._files.has, name):
                self._known.spec(name, ServerKind.FIXED)
            await to_thread.run_sync(self._files.write, name, Grants())
            spec = await self._read(name)
            if self._shelf.problems:
                await to_thread.run_sync(self._shelf.read_problems)
            report = await self._operation.apply(spec)
            if report.failure is None or not report.enabled:
                return report
            return await self._operation.settle(spec, self._supervisor.restart(name))

    async def _read(self, name: str) -> ServerSpec:
        spec = await to_thread.run_sync(self._shelf.read, name)
        if spec is None:
            raise InvalidServer(f"The folder of server {name!r} is gone.")
        self._known.put(spec)
        return spec
