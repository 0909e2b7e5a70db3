"""A browser in which the owner is logged in. Its cookie's value exists only there."""

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How the owner logged in."""

    PASSWORD = "password"  # noqa: S105 - a word, not somebody's password
    LINK = "link"
    """By a one-time link."""


@dataclass(frozen=True, slots=True)
class DashboardSession:
    """Times are integer milliseconds UTC."""

    id: str
    """Names it in lists; the cookie carries another value."""
    way: Way
    created_at: int
    expires_at: int
    last_used_at: int
    address: str
    """Where the login came from."""
    agent: str
    """What the browser called itself; anybody's text."""
