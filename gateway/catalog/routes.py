"""``/local/catalog``: what the owner's command line asks about added servers."""

from typing import Any, TypeVar

import msgspec
from quart import Blueprint, request
from werkzeug.exceptions import BadRequest

from gateway.catalog.desk import Catalog, CatalogRefused, Wish
from gateway.catalog.updating import Updates
from gateway.catalog.views import view_added, view_change, view_standing
from gateway.importing.plans import CannotImport
from supervisor.errors import InvalidServer, UnknownServer

T = TypeVar("T")
REFUSED = (CatalogRefused, CannotImport, InvalidServer, UnknownServer)


class UpdateWish(msgspec.Struct, frozen=True):
    """Which version is wanted; None: the newest."""

    to: str | None = None
    dry_run: bool = False


class RollBackWish(msgspec.Struct, frozen=True):
    """Which version is to come back; None: the last that worked."""

    version: int | None = None


def build_catalog_routes(catalog: Catalog, updates: Updates) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("catalog", __name__)

    @routes.post("/local/catalog/<server>")
    async def add(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        wish = await _read(Wish)
        try:
            return view_added(await catalog.add(server, wish))
        except REFUSED as error:
            raise BadRequest(str(error)) from error

    @routes.get("/local/catalog")
    async def outdated() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        return {"servers": [view_standing(each) for each in await updates.all()]}

    @routes.post("/local/catalog/<server>/update")
    async def update(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        wish = await _read(UpdateWish)
        try:
            done = await updates.update(server, wish.to, dry_run=wish.dry_run)
        except REFUSED as error:
            raise BadRequest(str(error)) from error
        standing = view_standing(done.standing)
        return standing if done.report is None else {**standing, **view_change(done.report)}

    @routes.post("/local/catalog/<server>/rollback")
    async def roll_back(server: str) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        wish = await _read(RollBackWish)
        try:
            return {"server": server, **view_change(await updates.roll_back(server, wish.version))}
        except REFUSED as error:
            raise BadRequest(str(error)) from error

    return routes


async def _read(kind: type[T]) -> T:
    try:
        return msgspec.convert(await request.get_json(), kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body is not what this address takes: {error}.") from error
