"""The gateways that share the database."""

from sqlalchemy import Column, Table

from gateway.domain.node import NodeState
from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, Member, Words

nodes = Table(
    "nodes",
    metadata,
    Column("name", Words, primary_key=True),
    Column("identity", Words, nullable=False),
    Column("started_at", INTEGER, nullable=False),
    Column("beat_at", INTEGER, nullable=False),
    Column("lease_ms", INTEGER, nullable=False),
    Column("version", Words, nullable=False),
    Column("schema", Words, nullable=False),
    Column("slots", INTEGER, nullable=False),
    Column("state", Member(NodeState), nullable=False),
    Column("address", Words, nullable=False),
    sqlite_strict=True,
)
