"""``/local/examples``: what the owner's command line asks about examples."""

from dataclasses import asdict, replace
from typing import Any

import msgspec
from anyio import to_thread
from quart import Blueprint, request
from werkzeug.exceptions import BadRequest

from gateway.examples.shelf import EXAMPLES, read_example
from gateway.servers import ServerReport, Servers
from gateway.tools.server_views import ServerAnswer, view_change
from supervisor.errors import InvalidServer
from supervisor.events import ServerState

OWNER = "owner"
"""Who adds an example, as versions name him."""


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an example is to be added."""

    enable: bool


def build_example_routes(servers: Servers) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("examples", __name__)

    @routes.post("/local/examples/<example>/as/<server>")
    async def add(example: str, server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            wish = msgspec.convert(await request.get_json(), Wish)
            files = await to_thread.run_sync(read_example, EXAMPLES, example)
            report = await servers.install(server, files, enable=wish.enable, author=OWNER)
        except msgspec.ValidationError as error:
            raise BadRequest(f"The body is not what this address takes: {error}.") from error
        except InvalidServer as error:
            raise BadRequest(str(error)) from error
        return asdict(_view(report))

    return routes


def _view(report: ServerReport) -> ServerAnswer:
    name, seen = report.spec.name, report.snapshot
    if report.missing and report.enabled:
        # It was added, as was asked; nobody can have set its credentials before.
        done = f"Server {name!r} is added, and starts when its credentials are set."
        return view_change(replace(report, failure=None), done)
    reason = f": {seen.reason}" if seen.state is ServerState.STARTING else ""
    return view_change(report, f"Server {name!r} is {seen.state}{reason}.")
