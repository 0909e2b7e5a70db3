"""The dashboard's own: sessions of the owner's browsers."""

from sqlalchemy import Column, Table

from gateway.domain.dashboard_session import Way
from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, Member, Words

dashboard_sessions = Table(
    "dashboard_sessions",
    metadata,
    Column("hash", Words, primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    Column("way", Member(Way), nullable=False),
    Column("login", Words, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("expires_at", INTEGER, nullable=False),
    Column("last_used_at", INTEGER, nullable=False),
    Column("address", Words, nullable=False),
    Column("agent", Words, nullable=False),
    sqlite_strict=True,
)
