"""Webhooks prove their senders and remember deliveries; jobs may be fired by a token."""

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint, text

from gateway.store.types import BYTES, INTEGER, Flag, Words

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add columns that leave every webhook as it was, and create four tables."""
    for column in (
        Column("scheme", Words(), nullable=False, server_default=text("'none'")),
        Column("tolerance_s", INTEGER, nullable=False, server_default=text("300")),
        Column("missing", Words(), nullable=False, server_default=text("'empty'")),
        Column("rate_per_minute", INTEGER, nullable=False, server_default=text("120")),
        Column("same_body_s", INTEGER, nullable=False, server_default=text("86400")),
        Column("may_wait", Flag(), nullable=False, server_default=text("false")),
        Column("paused_at", INTEGER),
    ):
        op.add_column("webhooks", column)
    _create_secrets()
    _create_keys()
    _create_deliveries()
    _create_fire_tokens()


def _create_secrets() -> None:
    op.create_table(
        "webhook_secrets",
        Column("id", Words(), nullable=False),
        Column("webhook_id", Words(), nullable=False),
        Column("key_id", Words(), nullable=False),
        Column("sealed", BYTES, nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER),
        PrimaryKeyConstraint("id", name="pk_webhook_secrets"),
        _of_a_webhook("webhook_secrets"),
        ForeignKeyConstraint(["key_id"], ["data_keys.id"], name="fk_webhook_secrets_key_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_webhook_secrets_webhook_id", "webhook_secrets", ["webhook_id"])


def _create_keys() -> None:
    op.create_table(
        "webhook_keys",
        Column("value", Words(), nullable=False),
        Column("webhook_id", Words(), nullable=False),
        Column("digest", Words(), nullable=False),
        Column("run_id", Words(), nullable=False),
        Column("expires_at", INTEGER, nullable=False),
        PrimaryKeyConstraint("value", name="pk_webhook_keys"),
        _of_a_webhook("webhook_keys"),
        sqlite_strict=True,
    )
    op.create_index("ix_webhook_keys_webhook_id", "webhook_keys", ["webhook_id"])
    op.create_index("ix_webhook_keys_expires_at", "webhook_keys", ["expires_at"])


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        Column("id", Words(), nullable=False),
        Column("webhook_id", Words(), nullable=False),
        Column("received_at", INTEGER, nullable=False),
        Column("origin", Words(), nullable=False),
        Column("outcome", Words(), nullable=False),
        Column("status", INTEGER, nullable=False),
        Column("sender", Words(), nullable=False),
        Column("content_type", Words(), nullable=False),
        Column("size", INTEGER, nullable=False),
        Column("run_id", Words()),
        Column("body", BYTES),
        PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        _of_a_webhook("webhook_deliveries"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_webhook_deliveries_webhook_id_received_at",
        "webhook_deliveries",
        ["webhook_id", "received_at"],
    )


def _create_fire_tokens() -> None:
    op.create_table(
        "job_fire_tokens",
        Column("job_id", Words(), nullable=False),
        Column("hash", Words(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("last_used_at", INTEGER),
        PrimaryKeyConstraint("job_id", name="pk_job_fire_tokens"),
        ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_fire_tokens_job_id", ondelete="CASCADE"
        ),
        UniqueConstraint("hash", name="uq_job_fire_tokens_hash"),
        sqlite_strict=True,
    )


def _of_a_webhook(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["webhook_id"], ["webhooks.id"], name=f"fk_{table}_webhook_id", ondelete="CASCADE"
    )
