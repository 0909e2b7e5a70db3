"""The versions of dynamic servers: who changed what when, what became of it, and its files.

Whoever calls holds the server's turn, so that numbers are given once. Above: `servers`. Below: the
store's table of versions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.domain.clock import utc_ms
from gateway.domain.server_version import Origin, ServerVersion, VersionResult
from gateway.servers.content import FolderContent, KeptFile
from gateway.servers.report import BROKEN, ServerReport
from gateway.store import ServerVersionTable
from supervisor.errors import InvalidServer
from supervisor.events import ServerState
from supervisor.snapshot import ServerSnapshot
from supervisor.spec import ServerSpec

KEPT_VERSIONS = 100
KEPT_BYTES = 32 * 1024 * 1024
"""All kept files of one server, equal ones counted once."""
MAX_REASON = 2000
NEVER_RAN = frozenset({VersionResult.REJECTED, VersionResult.WAITING})
FOLDER = "folder"
"""The author of what was written into a server's folder by hand."""


@dataclass(frozen=True, slots=True)
class Change:
    """Who made a version, and how."""

    origin: Origin
    author: str
    restored: int | None = None
    base: str | None = None
    """The digest of the folder out of which a version was made that waits."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a version."""

    result: VersionResult
    reason: str = ""


class History:
    """Writes versions down, keeps their number bounded and reads them back."""

    def __init__(self, table: ServerVersionTable, now_ms: Callable[[], int] = utc_ms) -> None:
        self._table = table
        self._now_ms = now_ms

    async def add(
        self, server: str, content: FolderContent, change: Change, verdict: Verdict
    ) -> int:
        """Write a version down and return its number; the oldest ones may have to go."""
        before = await self._table.all(server)
        files = content.files
        version = ServerVersion(
            server=server,
            number=before[0].number + 1 if before else 1,
            origin=change.origin,
            author=change.author,
            made_at=self._now_ms(),
            digest=content.digest,
            result=verdict.result,
            reason=verdict.reason[:MAX_REASON],
            files=None if files is None else tuple(file.record for file in files),
            restored=change.restored,
            base=change.base,
        )
        await self._table.add(version, {file.record.sha256: file.content for file in files or ()})
        numbers, hashes = surplus((version, *before))
        if numbers:
            await self._table.forget(server, numbers=numbers, hashes=hashes)
        return version.number

    async def found(
        self, server: str, content: FolderContent, seen: ServerSnapshot, rejected: str
    ) -> None:
        """Write down what a folder holds, if nobody has yet, and what became of it.

        `rejected` is why the folder's code was not taken over; '' when nothing says so.
        """
        if seen.digest == content.digest or rejected:
            known = await self._table.all(server)
            if content.digest not in _recent(known):
                change = Change(Origin.EDITED, FOLDER)
                await self.add(server, content, change, _verdict(seen, rejected))
        if seen.state is ServerState.READY:
            await self._table.note_worked(server, seen.digest)

    async def note_present(self, server: str, content: FolderContent, *, works: bool) -> None:
        """Write down what a folder holds, if nobody has yet; `works`: its child serves."""
        if content.digest not in _recent(await self._table.all(server)):
            result = VersionResult.WORKED if works else VersionResult.UNTRIED
            await self.add(server, content, Change(Origin.EDITED, FOLDER), Verdict(result))
        elif works:
            await self._table.note_worked(server, content.digest)

    async def waiting(self) -> tuple[ServerVersion, ...]:
        """Return every version that waits for its owner, by server, newest first."""
        return await self._table.waiting()

    async def settle(self, server: str, number: int, verdict: Verdict) -> None:
        """Write down what became of a version that waited."""
        reason = verdict.reason[:MAX_REASON]
        await self._table.settle(server, number, verdict.result, reason)

    async def is_newest(self, server: str, digest: str) -> bool:
        """Tell whether the newest version that is or was taken over, or waits, has this digest."""
        return digest in _recent(await self._table.all(server))

    async def all(self, server: str) -> tuple[ServerVersion, ...]:
        """Return every version that is kept, newest first."""
        return await self._table.all(server)

    async def get(self, server: str, number: int) -> ServerVersion:
        """Return one version.

        Raises:
            InvalidServer: there is none of this number, or not any more.
        """
        known = await self._table.all(server)
        for version in known:
            if version.number == number:
                return version
        there = f"it has {known[-1].number} to {known[0].number}" if known else "it has none"
        raise InvalidServer(f"Server {server!r} has no version {number}; {there}.")

    async def to_restore(self, spec: ServerSpec, number: int | None) -> ServerVersion:
        """Return the version to roll back to: that one, or the newest earlier one that worked.

        Raises:
            InvalidServer: there is none, or it is what the server's folder holds already.
        """
        known = await self._table.all(spec.name)
        if number is None:
            now = current(known, spec.digest)
            worked = [v for v in known if v.result is VersionResult.WORKED and v.files]
            earlier = (v for v in worked if now is None or v.number < now.number)
            found = next((v for v in earlier if v.digest != spec.digest), None)
            if found is None:
                raise InvalidServer(
                    f"Server {spec.name!r} has no earlier version that worked; name one that "
                    f"list_server_versions shows, or change it."
                )
            return found
        version = await self.get(spec.name, number)
        if version.digest == spec.digest:
            raise InvalidServer(
                f"Version {number} of server {spec.name!r} is what its folder holds already."
            )
        return version

    async def files(self, version: ServerVersion) -> tuple[KeptFile, ...]:
        """Return the files of a version.

        Raises:
            InvalidServer: they were too large to be kept.
        """
        if version.files is None:
            raise InvalidServer(
                f"The files of version {version.number} of server {version.server!r} "
                f"were too large to be kept."
            )
        contents = await self._table.contents(
            version.server, {file.sha256 for file in version.files}
        )
        return tuple(
            KeptFile(file.path, contents[file.sha256], file.executable) for file in version.files
        )

    async def delete(self, server: str) -> None:
        """Forget every version of a server."""
        await self._table.delete_server(server)


def current(versions: Iterable[ServerVersion], digest: str) -> ServerVersion | None:
    """Return the newest version that has this digest, or None."""
    return next((version for version in versions if version.digest == digest), None)


def surplus(versions: Sequence[ServerVersion]) -> tuple[set[int], set[str]]:
    """Return the numbers of versions that are too many, newest first, and files only they have.

    The newest one stays, and the newest that was taken over: it is what the server runs.
    """
    running = next((v for v in versions if v.result not in NEVER_RAN), versions[0])
    spared = {versions[0].number, running.number}
    kept: dict[str, int] = {}
    gone: list[ServerVersion] = []
    for place, version in enumerate(versions):
        files = {file.sha256: file.size for file in version.files or ()}
        fits = place < KEPT_VERSIONS and sum((kept | files).values()) <= KEPT_BYTES
        if fits or version.number in spared:
            kept |= files
        else:
            gone.append(version)
    hashes = {file.sha256 for version in gone for file in version.files or ()}
    return {version.number for version in gone}, hashes - kept.keys()


def verdict_of(report: ServerReport) -> Verdict:
    """Return what became of code that was just written."""
    state = report.snapshot.state
    if report.failure is None and state is ServerState.READY:
        return Verdict(VersionResult.WORKED)
    if report.failure is None or report.missing:
        return Verdict(VersionResult.UNTRIED, report.snapshot.reason)
    return Verdict(VersionResult.REJECTED, report.failure.sentence)


def _recent(known: Sequence[ServerVersion]) -> set[str]:
    """Return the digests of the newest version and of the newest that was taken over."""
    good = next((v for v in known if v.result not in NEVER_RAN), None)
    return {version.digest for version in (*known[:1], *([good] if good else []))}


def _verdict(seen: ServerSnapshot, rejected: str) -> Verdict:
    if rejected:
        return Verdict(VersionResult.REJECTED, rejected)
    if seen.state is ServerState.READY:
        return Verdict(VersionResult.WORKED)
    result = VersionResult.REJECTED if seen.state in BROKEN else VersionResult.UNTRIED
    return Verdict(result, seen.reason)
