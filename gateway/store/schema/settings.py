"""What the gateway itself remembers."""

from sqlalchemy import Column, Table

from gateway.store.schema.metadata import metadata
from gateway.store.types import Json, Words

settings = Table(
    "settings",
    metadata,
    Column("key", Words, primary_key=True),
    Column("value", Json, nullable=False),
    sqlite_strict=True,
)
