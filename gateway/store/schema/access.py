"""Who may come in: OAuth clients, their grants and what stands for them; machine tokens."""

from typing import Any

from sqlalchemy import Column, ForeignKey, Table

from gateway.domain.oauth import ClientSource
from gateway.domain.token import Scope
from gateway.store.schema.metadata import metadata
from gateway.store.types import BYTES, INTEGER, Member, Members, Names, Shown, Words

oauth_clients = Table(
    "oauth_clients",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("source", Member(ClientSource), nullable=False),
    Column("redirect_uris", Names, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("secret_hash", Words),
    Column("fetched_at", INTEGER),
    sqlite_strict=True,
)

oauth_grants = Table(
    "oauth_grants",
    metadata,
    Column("id", Words, primary_key=True),
    Column(
        "client_id",
        Words,
        ForeignKey("oauth_clients.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("scopes", Members(Scope), nullable=False),
    Column("resource", Words, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("last_used_at", INTEGER),
    Column("revoked_at", INTEGER),
    sqlite_strict=True,
)


def _of_a_grant() -> tuple[Column[Any], ...]:
    """Return the columns of what is known by its hash and stands for a grant."""
    grant = ForeignKey("oauth_grants.id", ondelete="CASCADE")
    return (
        Column("hash", Words, primary_key=True),
        Column("grant_id", Words, grant, nullable=False, index=True),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
    )


oauth_codes = Table(
    "oauth_codes",
    metadata,
    *_of_a_grant(),
    Column("redirect_uri", Words, nullable=False),
    Column("challenge", Words, nullable=False),
    Column("used_at", INTEGER),
    sqlite_strict=True,
)

oauth_access_tokens = Table(
    "oauth_access_tokens",
    metadata,
    *_of_a_grant(),
    Column("scopes", Members(Scope), nullable=False),
    sqlite_strict=True,
)

oauth_refresh_tokens = Table(
    "oauth_refresh_tokens",
    metadata,
    *_of_a_grant(),
    Column("rotated_at", INTEGER),
    sqlite_strict=True,
)

oauth_keys = Table(
    "oauth_keys",
    metadata,
    Column("name", Words, primary_key=True),
    Column("key_id", Words, ForeignKey("data_keys.id"), nullable=False),
    Column("sealed", BYTES, nullable=False),
    sqlite_strict=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("scopes", Members(Scope), nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("expires_at", INTEGER),
    Column("last_used_at", INTEGER),
    Column("revoked_at", INTEGER),
    Column("view", Shown),
    Column("hash", Words, nullable=False, unique=True),
    sqlite_strict=True,
)
