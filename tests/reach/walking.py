"""Every route that a gateway has, taken from the gateway itself."""

import re

from quart import Quart

from gateway.main import Gateway
from gateway.oauth.metadata import AUTHORIZATION_SERVER, PROTECTED_RESOURCE
from gateway.routes import ROUTES, Room, find_room


def routes(gateway: Gateway) -> set[str]:
    """Return a path of every route: the router's, and those of the rooms behind it."""
    assert set(Room) == {*ROUTES.values(), Room.PAGES}
    rooms = gateway.router.rooms
    assert isinstance(rooms.local, Quart)
    behind = {
        _path(rule.rule) for app in (rooms.pages, rooms.local) for rule in app.url_map.iter_rules()
    }
    assert {"/", "/login", "/authorize", "/local/status", "/local/tokens/x"} <= behind
    return {"/nothing/at/all", "/mcp/", *map(_path, ROUTES), *behind, *open_to_pages()}


def open_to_pages() -> set[str]:
    """Return a path of every route that pages of all origins may call."""
    documents = {PROTECTED_RESOURCE, f"{PROTECTED_RESOURCE}/mcp", *AUTHORIZATION_SERVER}
    assert {find_room(path)[0] for path in documents} == {Room.OAUTH}
    return documents | {_path(route) for route, room in ROUTES.items() if room is Room.OAUTH}


def _path(route: str) -> str:
    return re.sub(r"<[^>]+>", "x", route)
