"""Servers: what the owner switched, versions of code, pinned definitions."""

from sqlalchemy import Column, PrimaryKeyConstraint, Table

from gateway.domain.server_version import Origin, VersionResult
from gateway.store.schema.metadata import metadata
from gateway.store.types import BYTES, INTEGER, Flag, Member, VersionFiles, Words

servers = Table(
    "servers",
    metadata,
    Column("name", Words, primary_key=True),
    Column("enabled", Flag, nullable=False),
    sqlite_strict=True,
)

server_versions = Table(
    "server_versions",
    metadata,
    Column("server", Words, nullable=False),
    Column("number", INTEGER, nullable=False),
    Column("origin", Member(Origin), nullable=False),
    Column("author", Words, nullable=False),
    Column("made_at", INTEGER, nullable=False),
    Column("digest", Words, nullable=False),
    Column("result", Member(VersionResult), nullable=False),
    Column("reason", Words, nullable=False),
    Column("files", VersionFiles),
    Column("restored", INTEGER),
    Column("base", Words),
    PrimaryKeyConstraint("server", "number"),
    sqlite_strict=True,
)

server_files = Table(
    "server_files",
    metadata,
    Column("server", Words, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("content", BYTES, nullable=False),
    PrimaryKeyConstraint("server", "sha256"),
    sqlite_strict=True,
)


definition_pins = Table(
    "definition_pins",
    metadata,
    Column("server", Words, primary_key=True),
    Column("record", BYTES, nullable=False),
    Column("changed_at", INTEGER, nullable=False),
    sqlite_strict=True,
)
