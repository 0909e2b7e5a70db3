"""The tables as they are at `HEAD`. A change here needs a new revision in migrations/versions."""

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from gateway.domain.oauth import ClientSource
from gateway.domain.run import RunStatus, Trigger
from gateway.domain.server_version import Origin, VersionResult
from gateway.domain.token import Scope
from gateway.store.types import (
    BYTES,
    INTEGER,
    REAL_NUMBER,
    Flag,
    Json,
    Member,
    Members,
    Names,
    Network,
    Shown,
    VersionFiles,
    Words,
)

HEAD = "0006"
"""Newest revision; a database that has it opens without Alembic."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("cron", Words, nullable=False),
    Column("timezone", Words, nullable=False),
    Column("prompt", Words, nullable=False),
    Column("tools", Names, nullable=False),
    Column("servers", Names, nullable=False),
    Column("enabled", Flag, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("updated_at", INTEGER, nullable=False),
    Column("model", Words),
    Column("system_prompt", Words),
    Column("max_turns", INTEGER),
    Column("timeout_s", REAL_NUMBER, nullable=False),
    Column("budget_micro_usd", INTEGER),
    Column("next_fire_at", INTEGER),
    Column("network", Network, nullable=False, server_default=text("'\"public\"'")),
    Index(None, "next_fire_at"),
    sqlite_strict=True,
)

runs = Table(
    "runs",
    metadata,
    Column("id", Words, primary_key=True),
    Column("trigger", Member(Trigger), nullable=False),
    Column("status", Member(RunStatus), nullable=False),
    Column("prompt", Words, nullable=False),
    Column("tools", Names, nullable=False),
    Column("servers", Names, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("job_id", Words, ForeignKey("jobs.id", ondelete="CASCADE")),
    # No foreign key: a run keeps the name of the webhook that started it.
    Column("webhook_id", Words),
    Column("scheduled_for", INTEGER),
    Column("model", Words),
    Column("system_prompt", Words),
    Column("max_turns", INTEGER),
    Column("timeout_s", REAL_NUMBER, nullable=False),
    Column("budget_micro_usd", INTEGER),
    Column("attempt", INTEGER, nullable=False),
    Column("started_at", INTEGER),
    Column("finished_at", INTEGER),
    Column("output", Words),
    Column("error", Words),
    Column("cost_micro_usd", INTEGER),
    Column("input_tokens", INTEGER),
    Column("output_tokens", INTEGER),
    Column("turns", INTEGER),
    Column("session_id", Words),
    Column("process_group", INTEGER),
    Column("process_started_at", REAL_NUMBER),
    Column("network", Network, nullable=False, server_default=text("'\"public\"'")),
    Column("refused_hosts", Names, nullable=False, server_default=text("'[]'")),
    UniqueConstraint("job_id", "scheduled_for"),
    Index(None, "status", "created_at"),
    Index(None, "job_id", "created_at"),
    Index(None, "created_at"),
    sqlite_strict=True,
)

run_messages = Table(
    "run_messages",
    metadata,
    Column("run_id", Words, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("seq", INTEGER, nullable=False),
    Column("kind", Words, nullable=False),
    # Text and not JSON: kept byte for byte as the model's client wrote it.
    Column("body", Words, nullable=False),
    Column("at", INTEGER, nullable=False),
    PrimaryKeyConstraint("run_id", "seq"),
    sqlite_strict=True,
)

settings = Table(
    "settings",
    metadata,
    Column("key", Words, primary_key=True),
    Column("value", Json, nullable=False),
    sqlite_strict=True,
)

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

oauth_clients = Table(
    "oauth_clients",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("source", Member(ClientSource), nullable=False),
    Column("redirect_uris", Names, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("secret_hash", Words),
    Column("fetched_at", INTEGER),
    sqlite_strict=True,
)

oauth_grants = Table(
    "oauth_grants",
    metadata,
    Column("id", Words, primary_key=True),
    Column(
        "client_id",
        Words,
        ForeignKey("oauth_clients.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("scopes", Members(Scope), nullable=False),
    Column("resource", Words, nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("last_used_at", INTEGER),
    Column("revoked_at", INTEGER),
    sqlite_strict=True,
)


def _of_a_grant() -> tuple[Column[Any], ...]:
    """Return the columns of what is known by its hash and stands for a grant."""
    grant = ForeignKey("oauth_grants.id", ondelete="CASCADE")
    return (
        Column("hash", Words, primary_key=True),
        Column("grant_id", Words, grant, nullable=False, index=True),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
    )


oauth_codes = Table(
    "oauth_codes",
    metadata,
    *_of_a_grant(),
    Column("redirect_uri", Words, nullable=False),
    Column("challenge", Words, nullable=False),
    Column("used_at", INTEGER),
    sqlite_strict=True,
)

oauth_access_tokens = Table(
    "oauth_access_tokens",
    metadata,
    *_of_a_grant(),
    Column("scopes", Members(Scope), nullable=False),
    sqlite_strict=True,
)

oauth_refresh_tokens = Table(
    "oauth_refresh_tokens",
    metadata,
    *_of_a_grant(),
    Column("rotated_at", INTEGER),
    sqlite_strict=True,
)

oauth_keys = Table(
    "oauth_keys",
    metadata,
    Column("name", Words, primary_key=True),
    Column("key_id", Words, ForeignKey("data_keys.id"), nullable=False),
    Column("sealed", BYTES, nullable=False),
    sqlite_strict=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("scopes", Members(Scope), nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("expires_at", INTEGER),
    Column("last_used_at", INTEGER),
    Column("revoked_at", INTEGER),
    Column("view", Shown),
    Column("hash", Words, nullable=False, unique=True),
    sqlite_strict=True,
)

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
    PrimaryKeyConstraint("server", "key"),
    sqlite_strict=True,
)

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
    PrimaryKeyConstraint("server", "number"),
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

server_files = Table(
    "server_files",
    metadata,
    Column("server", Words, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("content", BYTES, nullable=False),
    PrimaryKeyConstraint("server", "sha256"),
    sqlite_strict=True,
)
