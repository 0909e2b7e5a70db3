"""Jobs, webhooks and runs say what network they have, and runs what they were refused."""

from alembic import op
from sqlalchemy import Column, text

from gateway.store.types import Json

revision = "0002"
down_revision = "0001"

PUBLIC = text("'\"public\"'")
NONE = text("'\"none\"'")
EMPTY = text("'[]'")


def upgrade() -> None:
    """Add the columns; strangers write the prompts of webhooks, so theirs begins closed."""
    op.add_column("jobs", Column("network", Json(), nullable=False, server_default=PUBLIC))
    op.add_column("runs", Column("network", Json(), nullable=False, server_default=PUBLIC))
    op.add_column("runs", Column("refused_hosts", Json(), nullable=False, server_default=EMPTY))
    op.add_column("webhooks", Column("network", Json(), nullable=False, server_default=NONE))
