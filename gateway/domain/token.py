"""A bearer token: what it may reach. The value itself exists only when it is made."""

from dataclasses import dataclass
from enum import StrEnum


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
