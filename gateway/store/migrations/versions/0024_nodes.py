"""Gateways that share a database, which of them has a run, and who asked for its end."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

from gateway.store.types import INTEGER, Words

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Create one table and add two columns; of earlier runs nobody knows where they ran."""
    op.create_table(
        "nodes",
        Column("name", Words(), nullable=False),
        Column("identity", Words(), nullable=False),
        Column("started_at", INTEGER, nullable=False),
        Column("beat_at", INTEGER, nullable=False),
        Column("lease_ms", INTEGER, nullable=False),
        Column("version", Words(), nullable=False),
        Column("schema", Words(), nullable=False),
        Column("slots", INTEGER, nullable=False),
        Column("state", Words(), nullable=False),
        Column("address", Words(), nullable=False),
        PrimaryKeyConstraint("name", name="pk_nodes"),
        sqlite_strict=True,
    )
    op.add_column("runs", Column("node", Words()))
    op.add_column("runs", Column("stop_asked", Words()))
