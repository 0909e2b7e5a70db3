"""What the owner does to a server as a whole: restart, switch, remove."""

from http import HTTPStatus

from quart import Blueprint, redirect, url_for
from werkzeug.exceptions import Conflict
from werkzeug.wrappers import Response

from gateway.dashboard.forms import read_form
from gateway.server_pages.desk import REFUSALS, Desk, outcome_of, refused
from supervisor.spec import ServerKind


class ActingPages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.post("/server/<name>/restart")(self.restart)
        pages.post("/server/<name>/enable")(self.enable)
        pages.post("/server/<name>/disable")(self.disable)
        pages.get("/server/<name>/remove")(self.ask)
        pages.post("/server/<name>/remove")(self.remove)

    async def restart(self, name: str) -> Response:
        """Stop its process and start another."""
        self._desk.spec(name)
        try:
            report = await self._desk.servers.restart(name)
        except REFUSALS as error:
            raise refused(error) from error
        if not report.enabled:
            raise Conflict(f"Server {name!r} is disabled; enable it.")
        done = f"The server is restarted and {report.snapshot.state}."
        return self._desk.back("servers.show", outcome_of(report, done), name=name)

    async def enable(self, name: str) -> Response:
        """Start it and keep it running."""
        kind = self._desk.spec(name).kind
        try:
            report = await self._desk.servers.enable(name, kind)
        except REFUSALS as error:
            raise refused(error) from error
        done = f"The server is enabled and {report.snapshot.state}."
        return self._desk.back("servers.show", outcome_of(report, done), name=name)

    async def disable(self, name: str) -> Response:
        """Stop it and keep it stopped."""
        kind = self._desk.spec(name).kind
        try:
            report = await self._desk.servers.disable(name, kind)
        except REFUSALS as error:
            raise refused(error) from error
        outcome = outcome_of(report, "The server is disabled.")
        return self._desk.back("servers.show", outcome, name=name)

    async def ask(self, name: str) -> str:
        """Say what goes with it."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        report = await self._desk.report(name)
        versions = await self._desk.servers.versions.all(name)
        return await self._desk.page("server_remove.html", report, versions=len(versions))

    async def remove(self, name: str) -> Response:
        """Delete it for good, once its name was typed."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        if (await read_form()).get("typed", "").strip() != name:
            raise Conflict(f"Type {name} to delete this server; nothing was changed.")
        try:
            await self._desk.servers.delete(name)
        except REFUSALS as error:
            raise refused(error) from error
        return redirect(url_for("servers.index"), HTTPStatus.SEE_OTHER)
