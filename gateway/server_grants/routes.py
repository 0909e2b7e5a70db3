"""``/local/grants``: what the owner's command line asks about the grants of fixed servers."""

from pathlib import Path
from typing import Any

import msgspec
from quart import Blueprint, request
from werkzeug.exceptions import BadRequest, NotFound

from gateway.servers import ServerReport, Servers
from gateway.servers.grants import Grants
from gateway.settings import Settings
from supervisor.errors import InvalidServer, UnknownServer


def build_grant_routes(servers: Servers, settings: Settings) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("grants", __name__)
    private = private_places(settings)

    @routes.get("/local/grants/<server>")
    async def show(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            return _view(server, await servers.granting.of(server))
        except (UnknownServer, InvalidServer) as error:
            raise NotFound(str(error)) from error

    @routes.post("/local/grants/<server>")
    async def grant(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            more = msgspec.convert(await request.get_json(), Grants)
        except msgspec.ValidationError as error:
            raise BadRequest(f"The body is not what this address takes: {error}.") from error
        try:
            report = await servers.granting.grant(server, more, private)
            return await _changed(servers, report)
        except (UnknownServer, InvalidServer) as error:
            raise BadRequest(str(error)) from error

    @routes.delete("/local/grants/<server>")
    async def revoke(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            return await _changed(servers, await servers.granting.revoke(server))
        except (UnknownServer, InvalidServer) as error:
            raise BadRequest(str(error)) from error

    return routes


def private_places(settings: Settings) -> tuple[Path, ...]:
    """Return what no server may be granted: the home, and the master key beside it."""
    return (settings.home.resolve(), settings.master_key_file.resolve())


async def _changed(servers: Servers, report: ServerReport) -> dict[str, Any]:
    name = report.spec.name
    failure = "" if report.failure is None else report.failure.sentence
    return {
        **_view(name, await servers.granting.of(name)),
        "ok": not failure,
        "enabled": report.enabled,
        "state": report.snapshot.state.value,
        "problem": failure,
    }


def _view(server: str, grants: Grants) -> dict[str, Any]:
    return {"server": server, "grants": msgspec.to_builtins(grants)}
