"""The audit log."""

from sqlalchemy import Column, Index, Table

from gateway.domain.audit import Actor, Outcome
from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, Member, Words

audit = Table(
    "audit",
    metadata,
    # Given by the database, in the order in which entries were written.
    Column("number", INTEGER, primary_key=True),
    Column("at", INTEGER, nullable=False),
    Column("actor", Member(Actor), nullable=False),
    Column("actor_id", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("server", Words, nullable=False),
    Column("tool", Words, nullable=False),
    Column("target", Words, nullable=False),
    Column("arguments", Words, nullable=False),
    Column("asked_bytes", INTEGER, nullable=False),
    Column("answered_bytes", INTEGER, nullable=False),
    Column("outcome", Member(Outcome), nullable=False),
    Column("took_us", INTEGER, nullable=False),
    Column("correlation", Words, nullable=False),
    Index(None, "at"),
    Index(None, "actor_id"),
    Index(None, "server", "tool"),
    sqlite_strict=True,
)
