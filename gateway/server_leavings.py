"""``/local/servers`` and ``/local/credentials``: how servers go, and what they leave behind.

For the owner's command line alone.
"""

from typing import Any

from quart import Blueprint
from werkzeug.exceptions import BadRequest

from gateway.credentials import Credentials
from gateway.servers import Servers
from supervisor.errors import InvalidServer, UnknownServer


def build_leaving_routes(servers: Servers, credentials: Credentials) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("leavings", __name__)

    @routes.delete("/local/servers/<server>")
    async def remove(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            await servers.removal.remove(server)
        except (UnknownServer, InvalidServer) as error:
            raise BadRequest(str(error)) from error
        done = "is deleted with its folder, its data folder, its grants and its credentials."
        return {"server": server, "message": f"Server {server!r} {done}"}

    @routes.get("/local/credentials")
    async def stored() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        there = servers.names()
        return {
            "servers": [
                {"server": server, "keys": keys, "is_there": server in there}
                for server, keys in (await credentials.stored()).items()
            ]
        }

    return routes
