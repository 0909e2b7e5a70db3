"""When a child last got a credential."""

from alembic import op
from sqlalchemy import Column

from gateway.store.types import INTEGER

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; of what was used before, nothing is known."""
    op.add_column("credentials", Column("last_used_at", INTEGER))
