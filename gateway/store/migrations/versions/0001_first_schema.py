"""The first schema, with the settings rows at their defaults."""

from typing import Any

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

from gateway.store.types import BYTES, INTEGER, REAL_NUMBER, Flag, Json, Words

revision = "0001"
down_revision = None

SETTINGS: dict[str, Any] = {
    "allowed_tools": ["WebSearch", "WebFetch", "Read", "Write", "Edit", "Bash"],
    "mcp_servers": [],
    "mcp_env_vars": {},
    "webhook_base_url": "http://localhost:8080",
    "sandbox_mode": True,
}


def upgrade() -> None:
    """Create every table."""
    _create_jobs_and_runs()
    _create_webhooks_and_secrets()
    _create_oauth()
    _create_settings()


def _create_jobs_and_runs() -> None:
    op.create_table(
        "jobs",
        Column("id", Words(), nullable=False),
        Column("name", Words(), nullable=False),
        Column("cron", Words(), nullable=False),
        Column("timezone", Words(), nullable=False),
        Column("prompt", Words(), nullable=False),
        Column("tools", Json(), nullable=False),
        Column("servers", Json(), nullable=False),
        Column("enabled", Flag(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("updated_at", INTEGER, nullable=False),
        Column("model", Words()),
        Column("system_prompt", Words()),
        Column("max_turns", INTEGER),
        Column("timeout_s", REAL_NUMBER, nullable=False),
        Column("budget_micro_usd", INTEGER),
        Column("next_fire_at", INTEGER),
        PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_strict=True,
    )
    op.create_index("ix_jobs_next_fire_at", "jobs", ["next_fire_at"])
    op.create_table(
        "runs",
        Column("id", Words(), nullable=False),
        Column("trigger", Words(), nullable=False),
        Column("status", Words(), nullable=False),
        Column("prompt", Words(), nullable=False),
        Column("tools", Json(), nullable=False),
        Column("servers", Json(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("job_id", Words()),
        Column("webhook_id", Words()),
        Column("scheduled_for", INTEGER),
        Column("model", Words()),
        Column("system_prompt", Words()),
        Column("max_turns", INTEGER),
        Column("timeout_s", REAL_NUMBER, nullable=False),
        Column("budget_micro_usd", INTEGER),
        Column("attempt", INTEGER, nullable=False),
        Column("started_at", INTEGER),
        Column("finished_at", INTEGER),
        Column("output", Words()),
        Column("error", Words()),
        Column("cost_micro_usd", INTEGER),
        Column("input_tokens", INTEGER),
        Column("output_tokens", INTEGER),
        Column("turns", INTEGER),
        Column("session_id", Words()),
        Column("process_group", INTEGER),
        Column("process_started_at", REAL_NUMBER),
        PrimaryKeyConstraint("id", name="pk_runs"),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_runs_job_id", ondelete="CASCADE"),
        UniqueConstraint("job_id", "scheduled_for", name="uq_runs_job_id_scheduled_for"),
        sqlite_strict=True,
    )
    op.create_index("ix_runs_status_created_at", "runs", ["status", "created_at"])
    op.create_index("ix_runs_job_id_created_at", "runs", ["job_id", "created_at"])
    op.create_index("ix_runs_created_at", "runs", ["created_at"])
    op.create_table(
        "run_messages",
        Column("run_id", Words(), nullable=False),
        Column("seq", INTEGER, nullable=False),
        Column("kind", Words(), nullable=False),
        Column("body", Words(), nullable=False),
        Column("at", INTEGER, nullable=False),
        PrimaryKeyConstraint("run_id", "seq", name="pk_run_messages"),
        ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_run_messages_run_id", ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )


def _create_webhooks_and_secrets() -> None:
    op.create_table(
        "data_keys",
        Column("id", Words(), nullable=False),
        Column("wrapped", BYTES, nullable=False),
        Column("created_at", INTEGER, nullable=False),
        PrimaryKeyConstraint("id", name="pk_data_keys"),
        sqlite_strict=True,
    )
    op.create_table(
        "credentials",
        Column("server", Words(), nullable=False),
        Column("key", Words(), nullable=False),
        Column("key_id", Words(), nullable=False),
        Column("sealed", BYTES, nullable=False),
        Column("set_at", INTEGER, nullable=False),
        PrimaryKeyConstraint("server", "key", name="pk_credentials"),
        ForeignKeyConstraint(["key_id"], ["data_keys.id"], name="fk_credentials_key_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "webhooks",
        Column("id", Words(), nullable=False),
        Column("name", Words(), nullable=False),
        Column("prompt_template", Words(), nullable=False),
        Column("tools", Json(), nullable=False),
        Column("servers", Json(), nullable=False),
        Column("enabled", Flag(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("updated_at", INTEGER, nullable=False),
        Column("model", Words()),
        Column("max_turns", INTEGER),
        Column("timeout_s", REAL_NUMBER, nullable=False),
        Column("budget_micro_usd", INTEGER),
        Column("last_delivery_at", INTEGER),
        Column("deliveries", INTEGER, nullable=False),
        Column("secret_hash", Words(), nullable=False),
        Column("secret_key_id", Words(), nullable=False),
        Column("secret_sealed", BYTES, nullable=False),
        PrimaryKeyConstraint("id", name="pk_webhooks"),
        ForeignKeyConstraint(["secret_key_id"], ["data_keys.id"], name="fk_webhooks_secret_key_id"),
        UniqueConstraint("secret_hash", name="uq_webhooks_secret_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "servers",
        Column("name", Words(), nullable=False),
        Column("enabled", Flag(), nullable=False),
        PrimaryKeyConstraint("name", name="pk_servers"),
        sqlite_strict=True,
    )


def _create_oauth() -> None:
    op.create_table(
        "tokens",
        Column("id", Words(), nullable=False),
        Column("name", Words(), nullable=False),
        Column("scopes", Json(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER),
        Column("last_used_at", INTEGER),
        Column("revoked_at", INTEGER),
        Column("hash", Words(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_tokens"),
        UniqueConstraint("hash", name="uq_tokens_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "oauth_clients",
        Column("id", Words(), nullable=False),
        Column("name", Words(), nullable=False),
        Column("source", Words(), nullable=False),
        Column("secret_hash", Words()),
        Column("redirect_uris", Json(), nullable=False),
        Column("document", Json(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("last_used_at", INTEGER),
        PrimaryKeyConstraint("id", name="pk_oauth_clients"),
        sqlite_strict=True,
    )
    op.create_table(
        "oauth_codes",
        Column("hash", Words(), nullable=False),
        Column("client_id", Words(), nullable=False),
        Column("redirect_uri", Words(), nullable=False),
        Column("scopes", Json(), nullable=False),
        Column("resource", Words(), nullable=False),
        Column("challenge", Words(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
        Column("used_at", INTEGER),
        PrimaryKeyConstraint("hash", name="pk_oauth_codes"),
        ForeignKeyConstraint(
            ["client_id"], ["oauth_clients.id"], name="fk_oauth_codes_client_id", ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "oauth_refresh_tokens",
        Column("hash", Words(), nullable=False),
        Column("grant_id", Words(), nullable=False),
        Column("client_id", Words(), nullable=False),
        Column("scopes", Json(), nullable=False),
        Column("resource", Words(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
        Column("rotated_at", INTEGER),
        Column("revoked_at", INTEGER),
        PrimaryKeyConstraint("hash", name="pk_oauth_refresh_tokens"),
        ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.id"],
            name="fk_oauth_refresh_tokens_client_id",
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_oauth_refresh_tokens_grant_id", "oauth_refresh_tokens", ["grant_id"])


def _create_settings() -> None:
    settings = op.create_table(
        "settings",
        Column("key", Words(), nullable=False),
        Column("value", Json(), nullable=False),
        PrimaryKeyConstraint("key", name="pk_settings"),
        sqlite_strict=True,
    )
    op.bulk_insert(settings, [{"key": key, "value": value} for key, value in SETTINGS.items()])
