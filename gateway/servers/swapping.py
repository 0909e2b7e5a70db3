"""Puts a staged folder in a server's place, and takes it back where it does not come to life.

Whoever calls holds the server's turn. Above: `servers`, `adding`.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace

from anyio import CancelScope, to_thread

from gateway.servers.folders import ServerFolders
from gateway.servers.known import Known
from gateway.servers.operation import Operation
from gateway.servers.report import ServerReport
from supervisor.spec import ServerSpec


class Swap:
    """The transaction of one folder of servers."""

    def __init__(
        self,
        folders: ServerFolders,
        known: Known,
        operation: Operation,
        read: Callable[[str], ServerSpec],
    ) -> None:
        """`read` reads a server's folder that is in place. Blocking."""
        self._folders = folders
        self._known = known
        self._operation = operation
        self._read = read

    async def take_over(self, name: str) -> ServerReport:
        """Start what was staged, and report; if it does not start, all is as it was before.

        Raises:
            InvalidServer: it is no server where it now is; all is as it was before.
            OSError: it cannot be put there; all is as it was before.
        """
        spec, kept = self._known.spec(name), False
        asleep = self._operation.is_asleep(name)
        await to_thread.run_sync(self._folders.put_in_place, name)
        try:
            new = await to_thread.run_sync(self._read, name)
            report = await self._operation.apply(new)
            # A server that could not run has nothing to go back to: it now is the new code.
            is_in = report.snapshot.digest == new.digest
            kept = report.failure is None or (is_in and not asleep)
            spec = new if kept else spec
        finally:
            end = self._folders.confirm if kept else self._folders.take_back
            await to_thread.run_sync(end, name)
        self._known.put(spec)
        if is_in and not kept:
            # Its next call is to find the old code, which slept and is no worse than before.
            report = replace(await self._operation.apply(spec), failure=report.failure)
        return replace(report, spec=spec, kept=kept)


@contextmanager
def to_the_end() -> Generator[None]:
    """Half a change is worse than a caller who waits: bounded by the server's start time-out."""
    with CancelScope(shield=True):
        yield
