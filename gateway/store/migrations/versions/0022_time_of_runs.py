"""How long runs were at work."""

from alembic import op
from sqlalchemy import Column, text

from gateway.store.types import INTEGER

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the column; what earlier attempts of runs took is not known."""
    op.add_column("runs", Column("worked_ms", INTEGER, nullable=False, server_default=text("0")))
