"""Webhooks."""

from sqlalchemy import Column, ForeignKey, Index, Table, text

from gateway.domain.delivery import DeliveryOrigin, Outcome
from gateway.domain.webhook import MissingPath, Scheme
from gateway.store.schema.metadata import metadata
from gateway.store.types import BYTES, INTEGER, REAL_NUMBER, Flag, Member, Names, Network, Words

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
    Column("scheme", Member(Scheme), nullable=False, server_default=text("'none'")),
    Column("tolerance_s", INTEGER, nullable=False, server_default=text("300")),
    Column("missing", Member(MissingPath), nullable=False, server_default=text("'empty'")),
    Column("rate_per_minute", INTEGER, nullable=False, server_default=text("120")),
    Column("same_body_s", INTEGER, nullable=False, server_default=text("86400")),
    Column("may_wait", Flag, nullable=False, server_default=text("false")),
    Column("paused_at", INTEGER),
    Column("output_schema", Words),
    Column("day_budget_micro_usd", INTEGER),
    Column("paused_until", INTEGER),
    # Counted with the end of each run.
    Column("failures", INTEGER, nullable=False, server_default=text("0")),
    sqlite_strict=True,
)


def _of_a_webhook() -> ForeignKey:
    return ForeignKey("webhooks.id", ondelete="CASCADE")


webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", Words, primary_key=True),
    Column("webhook_id", Words, _of_a_webhook(), nullable=False, index=True),
    Column("key_id", Words, ForeignKey("data_keys.id"), nullable=False),
    Column("sealed", BYTES, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("expires_at", INTEGER),
    sqlite_strict=True,
)

webhook_keys = Table(
    "webhook_keys",
    metadata,
    Column("value", Words, primary_key=True),
    Column("webhook_id", Words, _of_a_webhook(), nullable=False, index=True),
    Column("digest", Words, nullable=False),
    Column("run_id", Words, nullable=False),
    Column("expires_at", INTEGER, nullable=False, index=True),
    sqlite_strict=True,
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Words, primary_key=True),
    Column("webhook_id", Words, _of_a_webhook(), nullable=False),
    Column("received_at", INTEGER, nullable=False),
    Column("origin", Member(DeliveryOrigin), nullable=False),
    Column("outcome", Member(Outcome), nullable=False),
    Column("status", INTEGER, nullable=False),
    Column("sender", Words, nullable=False),
    Column("content_type", Words, nullable=False),
    Column("size", INTEGER, nullable=False),
    Column("run_id", Words),
    Column("body", BYTES),
    Index(None, "webhook_id", "received_at"),
    sqlite_strict=True,
)

job_fire_tokens = Table(
    "job_fire_tokens",
    metadata,
    Column("job_id", Words, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("hash", Words, nullable=False, unique=True),
    Column("created_at", INTEGER, nullable=False),
    Column("last_used_at", INTEGER),
    sqlite_strict=True,
)
