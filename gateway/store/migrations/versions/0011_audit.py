"""The audit log: who did what, when, and how it went."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

from gateway.store.types import INTEGER, Words

revision = "0011"
down_revision = "0010"

WORDS = ("actor", "actor_id", "action", "server", "tool", "target", "arguments")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "audit",
        Column("number", INTEGER, nullable=False, autoincrement=True),
        Column("at", INTEGER, nullable=False),
        *(Column(name, Words(), nullable=False) for name in WORDS),
        Column("asked_bytes", INTEGER, nullable=False),
        Column("answered_bytes", INTEGER, nullable=False),
        Column("outcome", Words(), nullable=False),
        Column("took_us", INTEGER, nullable=False),
        Column("correlation", Words(), nullable=False),
        PrimaryKeyConstraint("number", name="pk_audit"),
        sqlite_strict=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_actor_id", "audit", ["actor_id"])
    op.create_index("ix_audit_server_tool", "audit", ["server", "tool"])
