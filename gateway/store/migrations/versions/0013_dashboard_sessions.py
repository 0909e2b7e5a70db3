"""Sessions of the dashboard, which outlive a restart."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, UniqueConstraint

from gateway.store.types import INTEGER, Words

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create one table."""
    op.create_table(
        "dashboard_sessions",
        Column("hash", Words(), nullable=False),
        Column("id", Words(), nullable=False),
        Column("way", Words(), nullable=False),
        Column("login", Words(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("expires_at", INTEGER, nullable=False),
        Column("last_used_at", INTEGER, nullable=False),
        Column("address", Words(), nullable=False),
        Column("agent", Words(), nullable=False),
        PrimaryKeyConstraint("hash", name="pk_dashboard_sessions"),
        UniqueConstraint("id", name="uq_dashboard_sessions_id"),
        sqlite_strict=True,
    )
