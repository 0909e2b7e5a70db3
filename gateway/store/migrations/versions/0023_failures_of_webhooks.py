"""How many runs of webhooks failed in a row."""

from alembic import op
from sqlalchemy import Column, text

from gateway.store.types import INTEGER

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the column; what failed before is not counted."""
    op.add_column("webhooks", Column("failures", INTEGER, nullable=False, server_default=text("0")))
