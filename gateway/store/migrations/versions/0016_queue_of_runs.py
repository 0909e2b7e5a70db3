"""What choosing the next run asks of those that wait is in one index."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the index."""
    columns = ["status", "trigger", "created_at", "id", "not_before", "expires_at", "job_id"]
    op.create_index("ix_runs_queue", "runs", columns)
