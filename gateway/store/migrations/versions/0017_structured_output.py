"""Answers of runs may have to fit a schema."""

from alembic import op
from sqlalchemy import Column

from gateway.store.types import Words

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the columns; nothing has a schema yet."""
    for table in ("jobs", "webhooks", "runs"):
        op.add_column(table, Column("output_schema", Words()))
    op.add_column("runs", Column("structured", Words()))
