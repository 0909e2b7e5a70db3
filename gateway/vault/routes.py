"""``/local/key``: what the owner's command line asks of the keys of a running gateway."""

from dataclasses import asdict
from typing import Any

from quart import Blueprint, request
from werkzeug.exceptions import BadRequest, Conflict

from gateway.vault.errors import VaultError
from gateway.vault.vault import Vault


def build_key_routes(vault: Vault) -> Blueprint:
    """Return the routes; none ever answers with a key."""
    routes = Blueprint("keys", __name__)

    @routes.get("/local/key")
    async def show() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        return asdict(await vault.standing())

    @routes.post("/local/key")
    async def rotate() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        asked: object = await request.get_json()
        try:
            match asked:
                case {"rotate": "data"}:
                    await vault.rotate()
                case {"rotate": "master"}:
                    await vault.rotate_master()
                case _:
                    raise BadRequest('The body is {"rotate": "data"} or {"rotate": "master"}.')
        except VaultError as error:
            raise Conflict(str(error)) from error
        return asdict(await vault.standing())

    return routes
