"""Which paths there are, and which room answers each: the router's one table.

Whole segments are compared, so `/mcpfoo` is not `/mcp`; empty ones do not count.
"""

from enum import Enum, auto
from functools import lru_cache

KNOWN_PATHS = 256
"""How many are remembered as they were found; callers choose them."""
_ONE, _REST = "<one>", "<rest>"


class Room(Enum):
    """Who answers a request."""

    HEALTH = auto()
    """The router itself."""
    METRICS = auto()
    """What Prometheus reads; pages, where the settings have it off."""
    RELAY = auto()
    COMBINED = auto()
    MANAGEMENT = auto()
    SSE = auto()
    """Management tools too, by the older transport; pages, where the settings have it off."""
    OAUTH = auto()
    WEBHOOKS = auto()
    PROBE = auto()
    LOCAL = auto()
    PAGES = auto()
    """Every path that is not in the table."""


ROUTES = {
    f"/servers/{_ONE}/mcp": Room.RELAY,
    "/mcp/all": Room.COMBINED,
    "/mcp": Room.MANAGEMENT,
    "/sse": Room.SSE,
    "/messages": Room.SSE,
    f"/messages/{_REST}": Room.SSE,
    "/token": Room.OAUTH,
    "/oauth/token": Room.OAUTH,
    "/register": Room.OAUTH,
    "/revoke": Room.OAUTH,
    f"/.well-known/{_REST}": Room.OAUTH,
    f"/webhook/{_REST}": Room.WEBHOOKS,
    f"/jobs/{_ONE}/fire": Room.WEBHOOKS,
    f"/connector-probe/{_ONE}": Room.PROBE,
    f"/local/{_REST}": Room.LOCAL,
    "/healthz": Room.HEALTH,
    "/readyz": Room.HEALTH,
    "/metrics": Room.METRICS,
}


@lru_cache(maxsize=KNOWN_PATHS)
def find_room(path: str) -> tuple[Room, tuple[str, ...]]:
    """Return who answers a path, and its segments."""
    segments = _segments(path)
    for pattern, room in _PATTERNS:
        if _fits(pattern, segments):
            return room, segments
    return Room.PAGES, segments


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if pattern[-1] == _REST:
        pattern = pattern[:-1]
        if len(segments) <= len(pattern):
            return False
        segments = segments[: len(pattern)]
    return len(pattern) == len(segments) and all(
        wanted in (_ONE, each) for wanted, each in zip(pattern, segments, strict=True)
    )


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


_PATTERNS = tuple((_segments(route), room) for route, room in ROUTES.items())
