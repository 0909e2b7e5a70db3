"""What attempts at runs had and did."""

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table

from gateway.domain.run_record import CallOutcome
from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, Member, Names, ServersUsed, Words

run_records = Table(
    "run_records",
    metadata,
    Column("run_id", Words, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", INTEGER, nullable=False),
    Column("model", Words, nullable=False),
    Column("cli_version", Words, nullable=False),
    Column("sdk_version", Words, nullable=False),
    Column("gateway_version", Words, nullable=False),
    Column("tools", Names, nullable=False),
    Column("servers", ServersUsed, nullable=False),
    Column("calls", INTEGER),
    PrimaryKeyConstraint("run_id", "attempt"),
    sqlite_strict=True,
)

run_calls = Table(
    "run_calls",
    metadata,
    Column("run_id", Words, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", INTEGER, nullable=False),
    Column("seq", INTEGER, nullable=False),
    Column("server", Words, nullable=False),
    Column("tool", Words, nullable=False),
    Column("began_at", INTEGER, nullable=False),
    Column("took_ms", INTEGER, nullable=False),
    Column("outcome", Member(CallOutcome), nullable=False),
    Column("asked_bytes", INTEGER, nullable=False),
    Column("answered_bytes", INTEGER, nullable=False),
    PrimaryKeyConstraint("run_id", "attempt", "seq"),
    sqlite_strict=True,
)
