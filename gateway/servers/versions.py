"""What is kept of a dynamic server's past, for those who ask and for what its folder holds now.

Above: tools, and the follower of events. Below: `history`.
"""

from dataclasses import dataclass
from functools import partial

from anyio import to_thread

from gateway.domain.server_version import ServerVersion
from gateway.servers.content import KeptFile, read_content
from gateway.servers.difference import difference
from gateway.servers.history import History
from gateway.servers.known import Known
from supervisor.errors import InvalidServer
from supervisor.spec import ServerKind
from supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Compared:
    """What differs between two versions."""

    old: int
    new: int
    difference: str
    """As `diff -u` shows it."""


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

    async def compare(self, name: str, old: int | None, new: int | None) -> Compared:
        """Return what changed; without `new` to the newest, without `old` from the one before.

        Raises:
            UnknownServer, InvalidServer: one of them is not there, or not kept.
        """
        numbers = [version.number for version in await self.all(name)]
        if new is None:
            new = numbers[0] if numbers else 1
        if old is None:
            old = next((number for number in numbers if number < new), None)
            if old is None:
                raise InvalidServer(
                    f"Server {name!r} has no version before {new} to compare it with."
                )
        sides = [await self.files(name, each) for each in (old, new)]
        compare = partial(difference, *sides, names=f"version {old}|version {new}")
        return Compared(old, new, await to_thread.run_sync(compare))

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
