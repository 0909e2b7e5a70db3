"""Tools for the versions of dynamic servers: what was changed, and the way back."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.domain.server_version import ServerVersion
from gateway.servers.history import current
from gateway.tools.arguments import ServerName
from gateway.tools.authors import author
from gateway.tools.hints import OPEN, READ
from gateway.tools.server_views import ServerAnswer, view_change
from gateway.tools.services import Services
from gateway.tools.views import iso_or_none

MAX_DIFF_CHARACTERS = 60_000

Number = Annotated[int, Field(ge=1, description="A number that list_server_versions shows.")]


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version of a server."""

    number: int
    current: bool
    """True for what the server's folder holds now."""
    origin: str
    """created, updated, rolled_back or edited (by hand, in the folder)."""
    restored: int | None
    """The version that a roll-back brought back."""
    author: str
    made_at: str | None
    result: str
    """worked, rejected (did not start; the code before it went on) or untried."""
    reason: str
    digest: str
    files: dict[str, int] | None
    """Sizes in bytes; null when the folder was too large to be kept."""


@dataclass(frozen=True, slots=True)
class VersionList:
    """The newest versions of a server, newest first."""

    server: str
    kept: int
    versions: list[VersionView]


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What changed from one version to another."""

    server: str
    old: int
    new: int
    diff: str
    cut: bool
    """True when the end is missing, because it is too long."""


class VersionTools:
    """list, diff, roll back."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="List a server's versions", annotations=READ)
    async def list_server_versions(
        self,
        name: ServerName,
        limit: Annotated[int, Field(ge=1, le=100, description="How many, newest first.")] = 20,
    ) -> VersionList:
        """List the versions of a dynamic server, newest first: who, when, and whether it worked.

        Every create, update, roll-back and edit in its folder makes one, also one that did not
        start. The newest 100 are kept, 32 MiB at most, and always the one that runs.
        """
        versions = await self._services.servers.versions.all(name)
        now = current(versions, self._services.servers.spec(name).digest)
        return VersionList(
            server=name,
            kept=len(versions),
            versions=[_view(version, now) for version in versions[:limit]],
        )

    @tool(title="Compare two versions of a server", annotations=READ)
    async def diff_server_versions(
        self, name: ServerName, old: Number | None = None, new: Number | None = None
    ) -> VersionDiff:
        """Show what changed in a dynamic server's files from version `old` to `new`, as `diff -u`.

        Without `new` the newest, without `old` the one before `new`. At most 60,000 characters.
        """
        found = await self._services.servers.versions.compare(name, old, new)
        shown = found.difference[:MAX_DIFF_CHARACTERS]
        return VersionDiff(name, found.old, found.new, shown, shown != found.difference)

    @tool(title="Roll a server back", annotations=OPEN)
    async def rollback_mcp_server(
        self, name: ServerName, version: Number | None = None
    ) -> ServerAnswer:
        """Bring an earlier version of a dynamic server back: all its files, and start it.

        Without `version` the newest earlier one that worked. It is a new version, started beside
        the present one like any update: no call is lost, and if it does not start, ok is false
        and nothing changes. Data folder, credentials and the owner's policy (limits, start, reload,
        instances and the like) stay as they are.
        """
        # Whoever asks: a client on standard input counts as the owner, and may be a model.
        report = await self._services.servers.roll_back(
            name, version, author=author(), keep_policy=True
        )
        if report.version is None:
            done = f"Server {name!r} runs exactly this already; nothing was changed."
            return view_change(report, done)
        versions = await self._services.servers.versions.all(name)
        restored = next((v.restored for v in versions if v.number == report.version), None)
        done = (
            f"Server {name!r} is back at version {restored}, kept as version {report.version},"
            f" and {report.snapshot.state}."
        )
        return view_change(report, done)


def _view(version: ServerVersion, now: ServerVersion | None) -> VersionView:
    files = version.files
    return VersionView(
        number=version.number,
        current=now is not None and version.number == now.number,
        origin=version.origin,
        restored=version.restored,
        author=version.author,
        made_at=iso_or_none(version.made_at),
        result=version.result,
        reason=version.reason,
        digest=version.digest[:12],
        files=None if files is None else {file.path: file.size for file in files},
    )
