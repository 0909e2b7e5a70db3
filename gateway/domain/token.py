"""A bearer token: what it may reach. The value itself exists only when it is made."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.view import View


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    """List and get."""
    RUN = "run"
    """Call tools, trigger jobs."""
    ADMIN = "admin"
    """Everything, including creating servers and setting credentials."""


@dataclass(frozen=True, slots=True)
class Token:
    """A machine token as stored: the hash stays in the store."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    revoked_at: int | None = None
    view: View | None = None
    """The servers and tools that it was made for; None: all."""


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What somebody asks a new token to be; nothing of it has been checked."""

    name: str
    scope: str
    servers: tuple[str, ...] = ()
    """It shows all of these."""
    tools: tuple[str, ...] = ()
    """It shows these too, ``mcp__server__tool``; nothing named at all: it shows everything."""
    renames: tuple[tuple[str, str], ...] = ()
    """Full names of tools, and what `/mcp/all` calls them instead."""
    expires: str | None = None
    """After what time, like '90d'; None: never."""
