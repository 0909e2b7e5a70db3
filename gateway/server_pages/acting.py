"""What the owner does to a server as a whole: restart, switch, remove."""

from http import HTTPStatus
from typing import cast

from quart import Blueprint, make_response, redirect, url_for
from quart import Response as QuartResponse
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response

from gateway.dashboard.forms import read_form
from gateway.server_pages.desk import REFUSALS, Desk, outcome_of, refused
from gateway.servers.removal import check_owners
from supervisor.spec import ServerKind, ServerSpec


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
        self._check_removable(name)
        return await self._asked(name)

    async def remove(self, name: str) -> Response | QuartResponse:
        """Delete it for good, once its name was typed."""
        spec = self._check_removable(name)
        if (await read_form()).get("typed", "").strip() != name:
            problem = f"Type {name} to delete this server; nothing was changed."
            response = cast("QuartResponse", await make_response(await self._asked(name, problem)))
            response.status_code = HTTPStatus.CONFLICT
            return response
        try:
            if spec.kind is ServerKind.DYNAMIC:
                await self._desk.servers.delete(name)
            else:
                await self._desk.servers.removal.remove(name)
        except REFUSALS as error:
            raise refused(error) from error
        return redirect(url_for("servers.index"), HTTPStatus.SEE_OTHER)

    def _check_removable(self, name: str) -> ServerSpec:
        spec = self._desk.spec(name)
        try:
            check_owners(spec)
        except REFUSALS as error:
            raise NotFound(str(error)) from error
        return spec

    async def _asked(self, name: str, problem: str = "") -> str:
        report = await self._desk.report(name)
        dynamic = report.spec.kind is ServerKind.DYNAMIC
        versions = len(await self._desk.servers.versions.all(name)) if dynamic else 0
        return await self._desk.page(
            "server_remove.html", report, versions=versions, problem=problem
        )
