"""Webhooks."""

from sqlalchemy import Column, ForeignKey, Table, text

from gateway.store.schema.metadata import metadata
from gateway.store.types import BYTES, INTEGER, REAL_NUMBER, Flag, Names, Network, Words

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("prompt_template", Words, nullable=False),
    Column("tools", Names, nullable=False),
    Column("servers", Names, nullable=False),
    Column("enabled", Flag, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("updated_at", INTEGER, nullable=False),
    Column("model", Words),
    Column("max_turns", INTEGER),
    Column("timeout_s", REAL_NUMBER, nullable=False),
    Column("budget_micro_usd", INTEGER),
    Column("last_delivery_at", INTEGER),
    Column("deliveries", INTEGER, nullable=False),
    Column("secret_hash", Words, nullable=False, unique=True),
    Column("secret_key_id", Words, ForeignKey("data_keys.id"), nullable=False),
    Column("secret_sealed", BYTES, nullable=False),
    Column("network", Network, nullable=False, server_default=text("'\"none\"'")),
    sqlite_strict=True,
)
