"""``/server/<name>/versions``: what was changed of a dynamic server, and the way back."""

from quart import Blueprint, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gateway.domain.server_version import ServerVersion, VersionResult
from gateway.server_pages.desk import OWNER, REFUSALS, Desk, outcome_of, refused
from gateway.servers.difference import nothing_hidden
from gateway.servers.history import current
from supervisor.errors import SupervisorError
from supervisor.spec import ServerKind

MAX_SHOWN = 200_000
"""Characters of a difference on a page."""
TONES = {
    VersionResult.WORKED: "good",
    VersionResult.REJECTED: "bad",
    VersionResult.WAITING: "busy",
}


class VersionPages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/server/<name>/versions")(self.show_versions)
        pages.get("/server/<name>/versions/<int:number>")(self.compare)
        pages.post("/server/<name>/versions/<int:number>/restore")(self.restore)

    async def show_versions(self, name: str) -> str:
        """Every version that is kept, newest first."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        report = await self._desk.report(name)
        versions = await self._desk.servers.versions.all(name)
        now = current(versions, report.spec.digest)
        rows = [_row(each, now) for each in versions]
        return await self._desk.page("server_versions.html", report, rows=rows)

    async def compare(self, name: str, number: int) -> str:
        """What one version changed: since the one before it, or since another one."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        report = await self._desk.report(name)
        since = request.args.get("since", type=int)
        versions = self._desk.servers.versions
        try:
            if since is None and not await self._has_before(name, number):
                since = number
            found = await versions.compare(name, since, number)
        except SupervisorError as error:
            raise NotFound(str(error)) from error
        text = nothing_hidden(found.difference)
        return await self._desk.page(
            "server_difference.html",
            report,
            found=found,
            text=text[:MAX_SHOWN],
            left_out=max(0, len(text) - MAX_SHOWN),
            others=[each.number for each in await versions.all(name) if each.number != number],
        )

    async def restore(self, name: str, number: int) -> Response:
        """Bring one back, as a new version."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        try:
            report = await self._desk.servers.roll_back(
                name, number, author=OWNER, keep_policy=False
            )
        except REFUSALS as error:
            raise refused(error) from error
        done = (
            f"The server is back at version {number}, kept as version {report.version}, "
            f"and {report.snapshot.state}."
        )
        return self._desk.back("servers.show_versions", outcome_of(report, done), name=name)

    async def _has_before(self, name: str, number: int) -> bool:
        return any(each.number < number for each in await self._desk.servers.versions.all(name))


def _row(version: ServerVersion, now: ServerVersion | None) -> dict[str, object]:
    is_current = now is not None and now.number == version.number
    files = version.files
    return {
        "number": version.number,
        "current": is_current,
        "made_at": version.made_at,
        "origin": version.origin.replace("_", " "),
        "restored": version.restored,
        "author": version.author,
        "result": version.result.value,
        "tone": TONES.get(version.result, "quiet"),
        "reason": version.reason,
        "files": None if files is None else [(file.path, file.size) for file in files],
        "may_return": files is not None and not is_current,
    }
