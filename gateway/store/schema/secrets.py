"""Sealed values and the keys that seal them."""

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table

from gateway.store.schema.metadata import metadata
from gateway.store.types import BYTES, INTEGER, Words

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Words, primary_key=True),
    Column("wrapped", BYTES, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    sqlite_strict=True,
)

credentials = Table(
    "credentials",
    metadata,
    Column("server", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("key_id", Words, ForeignKey("data_keys.id"), nullable=False),
    Column("sealed", BYTES, nullable=False),
    Column("set_at", INTEGER, nullable=False),
    Column("last_used_at", INTEGER),
    PrimaryKeyConstraint("server", "key"),
    sqlite_strict=True,
)
