"""``/local/examples``: what the owner's command line asks about examples."""

from dataclasses import asdict
from typing import Any

import msgspec
from anyio import to_thread
from quart import Blueprint, request
from werkzeug.exceptions import BadRequest

from gateway.examples.shelf import EXAMPLES, read_example
from gateway.servers import Servers
from gateway.tools.server_views import view_change
from supervisor.errors import InvalidServer

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
        return asdict(view_change(report, f"Server {server!r} is {report.snapshot.state}."))

    return routes
