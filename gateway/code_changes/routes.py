"""``/local/changes``: what the owner's command line asks about new code that waits."""

from typing import Any

import msgspec
from quart import Blueprint, request
from werkzeug.exceptions import BadRequest, NotFound

from gateway.approvals.approvals import Decision
from gateway.servers import Servers
from supervisor.errors import SupervisorError


class OwnersWord(msgspec.Struct, frozen=True):
    """What the owner says to one version."""

    server: str
    version: int
    decision: Decision


def build_change_routes(servers: Servers) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("changes", __name__)

    @routes.get("/local/changes")
    async def show() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        found = await servers.held.all()
        return {
            "changes": [
                {
                    "server": each.version.server,
                    "version": each.version.number,
                    "author": each.version.author,
                    "made_at": each.version.made_at,
                }
                for each in found
            ]
        }

    @routes.get("/local/changes/<server>/<int:number>")
    async def show_whole(server: str, number: int) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            return {"difference": (await servers.held.whole(server, number)).difference}
        except SupervisorError as error:
            raise NotFound(str(error)) from error

    @routes.post("/local/changes")
    async def decide() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            word = msgspec.convert(await request.get_json(), OwnersWord)
        except msgspec.ValidationError as error:
            raise BadRequest(f"The body is not what this address takes: {error}.") from error
        return {"message": await decide_change(servers, word)}

    return routes


async def decide_change(servers: Servers, word: OwnersWord) -> str:
    """Carry the owner's word out; return what became of it in one sentence. Raises NotFound."""
    try:
        if word.decision is Decision.REJECT:
            await servers.held.reject(word.server, word.version)
            return f"Version {word.version} of server {word.server!r} stays out."
        report = await servers.approve(word.server, word.version)
    except SupervisorError as error:
        raise NotFound(str(error)) from error
    if report.failure is not None:
        return f"It was approved and did not start: {report.failure.sentence}"
    state = report.snapshot.state
    return f"Version {word.version} of server {word.server!r} is approved; it is {state}."
