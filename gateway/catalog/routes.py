"""``/local/catalog``: what the owner's command line asks about added servers."""

from typing import Any

import msgspec
from quart import Blueprint, request
from werkzeug.exceptions import BadRequest

from gateway.catalog.desk import Catalog, CatalogRefused, Wish
from gateway.catalog.views import view_added
from gateway.importing.plans import CannotImport
from supervisor.errors import InvalidServer, UnknownServer

REFUSED = (CatalogRefused, CannotImport, InvalidServer, UnknownServer)


def build_catalog_routes(catalog: Catalog) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("catalog", __name__)

    @routes.post("/local/catalog/<server>")
    async def add(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            wish = msgspec.convert(await request.get_json(), Wish)
        except msgspec.ValidationError as error:
            raise BadRequest(f"The body is not what this address takes: {error}.") from error
        try:
            return view_added(await catalog.add(server, wish))
        except REFUSED as error:
            raise BadRequest(str(error)) from error

    return routes
