"""What attempts at runs had and did."""

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint

from gateway.store.types import INTEGER, Json, Words

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create two tables."""
    op.create_table(
        "run_records",
        Column("run_id", Words(), nullable=False),
        Column("attempt", INTEGER, nullable=False),
        *(
            Column(name, Words(), nullable=False)
            for name in ("model", "cli_version", "sdk_version", "gateway_version")
        ),
        Column("tools", Json(), nullable=False),
        Column("servers", Json(), nullable=False),
        Column("calls", INTEGER),
        _of_a_run("run_records"),
        PrimaryKeyConstraint("run_id", "attempt", name="pk_run_records"),
        sqlite_strict=True,
    )
    op.create_table(
        "run_calls",
        Column("run_id", Words(), nullable=False),
        Column("attempt", INTEGER, nullable=False),
        Column("seq", INTEGER, nullable=False),
        Column("server", Words(), nullable=False),
        Column("tool", Words(), nullable=False),
        Column("began_at", INTEGER, nullable=False),
        Column("took_ms", INTEGER, nullable=False),
        Column("outcome", Words(), nullable=False),
        Column("asked_bytes", INTEGER, nullable=False),
        Column("answered_bytes", INTEGER, nullable=False),
        _of_a_run("run_calls"),
        PrimaryKeyConstraint("run_id", "attempt", "seq", name="pk_run_calls"),
        sqlite_strict=True,
    )


def _of_a_run(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["run_id"], ["runs.id"], name=f"fk_{table}_run_id", ondelete="CASCADE"
    )
