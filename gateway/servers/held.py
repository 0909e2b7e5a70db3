"""New code of servers that have credentials: written down as a version, and not started before
its owner approves, if the settings say so.

Edits in a server's folder are the owner's own and are not held. Whoever calls holds the server's
turn. Above: `servers`, and what shows the owner what waits.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import partial

from anyio import to_thread

from gateway.credentials import Credentials
from gateway.domain.server_version import ServerVersion, VersionResult
from gateway.servers.content import KeptFile, read_content
from gateway.servers.difference import difference
from gateway.servers.folders import ServerFolders
from gateway.servers.history import Change, History, Verdict, current
from gateway.servers.known import Known
from gateway.servers.staging import Staged
from gateway.variables import CodeChanges
from supervisor.errors import InvalidServer

MAX_DIFFERENCE = 200_000
"""Characters of a difference that is shown among others; by itself it is shown whole."""
SUPERSEDED = "a later version was approved"
SAID_NO = "its owner said no"


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """A version that waits for the owner, and what differs from the code that serves now."""

    version: ServerVersion
    difference: str
    """As far as it is shown."""
    characters: int
    """Of the whole."""
    digest: str
    """Of the whole."""

    @property
    def is_whole(self) -> bool:
        """True where nothing of the difference is left out."""
        return len(self.difference) == self.characters


class Held:
    """Says what is held, and keeps it."""

    def __init__(
        self,
        rule: CodeChanges,
        known: Known,
        history: History,
        credentials: Credentials,
        folders: ServerFolders,
    ) -> None:
        self._rule = rule
        self._known = known
        self._history = history
        self._credentials = credentials
        self._folders = folders

    async def holds(self, server: str) -> bool:
        """Return whether new code of a server waits: it would get stored credentials."""
        if self._rule is CodeChanges.RUN:
            return False
        return bool(await self._credentials.keys(server))

    async def check_new(self, server: str) -> None:
        """Raise InvalidServer where a new server would get what was stored for an earlier one."""
        if await self.holds(server):
            raise InvalidServer(
                f"Credentials of an earlier server {server!r} are still stored; "
                "choose another name, or have its owner put the folder back."
            )

    async def check_trial(self, server: str) -> None:
        """Raise InvalidServer where a trial would get stored credentials without approval."""
        if await self.holds(server):
            raise InvalidServer(
                f"CODE_CHANGES is approve: what is tried does not get the credentials of {server!r}"
                "; try it without them."
            )

    async def keep(self, staged: Staged, change: Change) -> int:
        """Write a version down that waits; return its number. Raises InvalidServer."""
        name = staged.spec.name
        if staged.content.files is None:
            raise InvalidServer(
                f"The folder of server {name!r} is too large to be kept until its owner approves; "
                "have the owner change it there."
            )
        change = replace(change, base=self._known.spec(name).digest)
        return await self._history.add(name, staged.content, change, Verdict(VersionResult.WAITING))

    async def all(self) -> tuple[WaitingChange, ...]:
        """Return everything that waits, by server, newest first."""
        return tuple([await self._shown(each, MAX_DIFFERENCE) for each in await self._waiting()])

    async def count(self) -> int:
        """Return how many versions wait."""
        return len(await self._waiting())

    async def whole(self, server: str, number: int) -> WaitingChange:
        """Return one that waits with all of its difference. Raises as `get`."""
        return await self._shown(await self.get(server, number), None)

    async def get(self, server: str, number: int) -> ServerVersion:
        """Return a version that waits. Raises UnknownServer and InvalidServer."""
        self._known.spec(server)
        version = await self._history.get(server, number)
        if version.result is not VersionResult.WAITING:
            raise InvalidServer(
                f"Version {number} of server {server!r} does not wait for approval."
            )
        return version

    async def files(self, version: ServerVersion) -> tuple[KeptFile, ...]:
        """Return what approving a version writes: its files, and metadata that the owner has set.

        Of that, too, what the version itself changes. Raises InvalidServer.
        """
        known = await self._history.all(version.server)
        base = current(known, version.base) if version.base else None
        before = await self._history.files(base) if base and base.files is not None else None
        files = await self._history.files(version)
        merge = partial(self._folders.with_policy, version.server, files, before)
        return await to_thread.run_sync(merge)

    async def settle(self, version: ServerVersion, verdict: Verdict) -> None:
        """Write down what became of a version that waited; older ones that wait are void."""
        await self._history.settle(version.server, version.number, verdict)
        if verdict.result is VersionResult.WORKED:
            for each in await self._history.waiting():
                if each.server == version.server and each.number < version.number:
                    void = Verdict(VersionResult.REJECTED, SUPERSEDED)
                    await self._history.settle(each.server, each.number, void)

    async def reject(self, server: str, number: int) -> None:
        """Keep a version out. Raises UnknownServer and InvalidServer."""
        version = await self.get(server, number)
        await self.settle(version, Verdict(VersionResult.REJECTED, SAID_NO))

    async def _waiting(self) -> list[ServerVersion]:
        return [each for each in await self._history.waiting() if each.server in self._known]

    async def _shown(self, version: ServerVersion, limit: int | None) -> WaitingChange:
        folder = self._known.spec(version.server).code_dir
        present = await to_thread.run_sync(read_content, folder)
        files = await self.files(version)
        names = f"serves now|version {version.number}"
        compare = partial(difference, present.files or (), files, names=names)
        text = await to_thread.run_sync(compare)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return WaitingChange(version, text[:limit], len(text), digest)


def sentence_of(server: str, number: int) -> str:
    """Return what the author of a change that is held is told."""
    return (
        f"Version {number} of server {server!r} is kept and not started: the server has "
        "credentials, so its owner looks at new code first, on the dashboard's page of code "
        f"changes or with `./claude-runner changes show {server} {number}`. "
        "What served before goes on."
    )
