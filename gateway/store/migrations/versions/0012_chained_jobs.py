"""A job may run after a run of another one."""

from alembic import op
from sqlalchemy import Column, text

from gateway.store.types import INTEGER, Words

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns; nothing is chained yet."""
    op.add_column("jobs", Column("on_success", Words()))
    op.add_column("jobs", Column("on_failure", Words()))
    op.add_column("runs", Column("chained_from", Words()))
    op.add_column("runs", Column("chain_depth", INTEGER, nullable=False, server_default=text("0")))
