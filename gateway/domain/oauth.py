"""What the owner allowed which client: OAuth's clients, grants, codes and tokens.

Values of codes, tokens and client secrets exist only when they are made; the store has hashes.
Times are integer milliseconds UTC.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.token import Scope


class ClientSource(StrEnum):
    """How a client became known."""

    PREREGISTERED = "preregistered"
    """The one that the gateway or its settings made: Claude (auto)."""
    REGISTERED = "registered"
    """By itself (RFC 7591)."""
    DOCUMENT = "document"
    """Its id is the address of a document that describes it."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask the owner for access."""

    id: str
    name: str
    source: ClientSource
    redirect_uris: tuple[str, ...]
    created_at: int
    secret_hash: str | None = None
    """None: a public client, or one whose secret stands in the settings."""
    fetched_at: int | None = None
    """When its document was last read."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the owner approved once: one client, one endpoint, some scopes."""

    id: str
    client_id: str
    scopes: frozenset[Scope]
    resource: str
    """Address of the endpoint (RFC 8707)."""
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code, to be exchanged once."""

    grant_id: str
    redirect_uri: str
    challenge: str
    """S256 of the client's verifier (RFC 7636)."""
    created_at: int
    expires_at: int
    used_at: int | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token of a grant; its scopes are the grant's or fewer."""

    grant_id: str
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Gets its client new tokens; replaced with each use."""

    grant_id: str
    created_at: int
    expires_at: int
    rotated_at: int | None = None
    """When it was first used."""
