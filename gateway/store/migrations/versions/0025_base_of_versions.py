"""Out of what a version that waits was made."""

from alembic import op
from sqlalchemy import Column

from gateway.store.types import Words

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the column; of what waits already it is not known."""
    op.add_column("server_versions", Column("base", Words))
