"""What is pinned of the tools of each server."""

from alembic import op
from sqlalchemy import Column

from gateway.store.types import BYTES, INTEGER, Words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "definition_pins",
        Column("server", Words(), nullable=False, primary_key=True),
        Column("record", BYTES, nullable=False),
        Column("changed_at", INTEGER, nullable=False),
        sqlite_strict=True,
    )
