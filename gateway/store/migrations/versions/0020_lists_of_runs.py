"""Lists of runs by job, webhook and status, newest first."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Create three indexes."""
    for columns in (
        ["job_id", "status", "created_at"],
        ["webhook_id", "created_at"],
        ["webhook_id", "status", "created_at"],
    ):
        op.create_index(f"ix_runs_{'_'.join(columns)}", "runs", columns)
