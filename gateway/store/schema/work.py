"""Jobs, the runs of whatever starts them, and what a run said."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from gateway.domain.budget import Limit
from gateway.domain.job import CatchUp, OnInterrupt, Overlap
from gateway.domain.run import RunStatus, Trigger
from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, REAL_NUMBER, Flag, Member, Names, Network, Words

jobs = Table(
    "jobs",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("cron", Words),
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
    Column("at", INTEGER),
    Column("paused_until", INTEGER),
    Column("jitter_s", REAL_NUMBER, nullable=False, server_default=text("0")),
    Column("catch_up", Member(CatchUp), nullable=False, server_default=text("'latest'")),
    Column("catch_up_max", INTEGER, nullable=False, server_default=text("10")),
    Column("grace_s", REAL_NUMBER, nullable=False, server_default=text("3600")),
    Column("overlap", Member(Overlap), nullable=False, server_default=text("'skip'")),
    Column("start_within_s", REAL_NUMBER),
    Column("retries", INTEGER, nullable=False, server_default=text("0")),
    Column("concurrency", INTEGER),
    Column("on_interrupt", Member(OnInterrupt), nullable=False, server_default=text("'mark'")),
    # No foreign keys: deleting a job clears them in the same transaction.
    Column("on_success", Words),
    Column("on_failure", Words),
    Column("output_schema", Words),
    Column("notify_after", INTEGER),
    # Counted with the end of each run.
    Column("failures", INTEGER, nullable=False, server_default=text("0")),
    Column("day_budget_micro_usd", INTEGER),
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
    Column("scheduled_until", INTEGER),
    Column("expires_at", INTEGER),
    Column("not_before", INTEGER),
    Column("retries", INTEGER, nullable=False, server_default=text("0")),
    Column("concurrency", INTEGER),
    Column("on_interrupt", Member(OnInterrupt), nullable=False, server_default=text("'mark'")),
    # No foreign key: retention may remove the earlier run.
    Column("chained_from", Words),
    Column("chain_depth", INTEGER, nullable=False, server_default=text("0")),
    Column("output_schema", Words),
    Column("structured", Words),
    Column("limit_reached", Member(Limit)),
    Column("worked_ms", INTEGER, nullable=False, server_default=text("0")),
    # No foreign keys to nodes: a run keeps the name of the one that had it last.
    Column("node", Words),
    Column("stop_asked", Words),
    UniqueConstraint("job_id", "scheduled_for"),
    Index(None, "status", "created_at"),
    # All that choosing the next run asks of thousands that wait, so that no row is read for it.
    Index(
        "ix_runs_queue",
        *("status", "trigger", "created_at", "id", "not_before", "expires_at", "job_id"),
    ),
    Index(None, "job_id", "created_at"),
    Index(None, "job_id", "status", "created_at"),
    Index(None, "webhook_id", "created_at"),
    Index(None, "webhook_id", "status", "created_at"),
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
