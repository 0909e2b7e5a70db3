"""What is pinned of the tools of each server."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

from gateway.store.types import BYTES, INTEGER, Words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "definition_pins",
        Column("server", Words(), nullable=False),
        Column("record", BYTES, nullable=False),
        Column("changed_at", INTEGER, nullable=False),
        PrimaryKeyConstraint("server", name="pk_definition_pins"),
        sqlite_strict=True,
    )
