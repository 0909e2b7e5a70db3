"""Runs may expire in the queue, begin again, and be limited in number for each job."""

from alembic import op
from sqlalchemy import Column, text

from gateway.store.types import INTEGER, REAL_NUMBER, Words

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; runs that exist wait for ever and are not repeated, as before."""
    op.add_column("jobs", Column("start_within_s", REAL_NUMBER))
    op.add_column("runs", Column("expires_at", INTEGER))
    op.add_column("runs", Column("not_before", INTEGER))
    for table in ("jobs", "runs"):
        op.add_column(table, Column("retries", INTEGER, nullable=False, server_default=text("0")))
        op.add_column(table, Column("concurrency", INTEGER))
        mark = text("'mark'")
        op.add_column(table, Column("on_interrupt", Words(), nullable=False, server_default=mark))
