"""What is kept of a dynamic server's past, for those who ask and for what its folder holds now.

Above: tools, and the follower of events. Below: `history`.
"""

from anyio import to_thread

from gateway.domain.server_version import ServerVersion
from gateway.servers.content import KeptFile, read_content
from gateway.servers.history import History
from gateway.servers.known import Known
from supervisor.spec import ServerKind
from supervisor.supervisor import Supervisor


class Versions:
    """The versions of every dynamic server."""

    def __init__(self, known: Known, history: History, supervisor: Supervisor) -> None:
        self._known = known
        self._history = history
        self._supervisor = supervisor

    async def all(self, name: str) -> tuple[ServerVersion, ...]:
        """Return what is kept of a dynamic server, newest first.

        Raises:
            UnknownServer, InvalidServer.
        """
        self._known.spec(name, ServerKind.DYNAMIC)
        return await self._history.all(name)

    async def files(self, name: str, number: int) -> tuple[KeptFile, ...]:
        """Return the files of one version.

        Raises:
            UnknownServer, InvalidServer: there is none, or its files are not kept.
        """
        self._known.spec(name, ServerKind.DYNAMIC)
        return await self._history.files(await self._history.get(name, number))

    async def look(self, name: str, rejected: str) -> None:
        """Write down what a dynamic server's folder holds, if that is new.

        `rejected` is why it was not taken over; '' when nothing says so.
        """
        async with self._known.turn(name):
            spec = self._known.find(name)
            if spec is None or spec.kind is not ServerKind.DYNAMIC:
                return
            content = await to_thread.run_sync(read_content, spec.code_dir)
            seen = self._supervisor.snapshot(name)
            await self._history.found(name, content, seen, rejected)
