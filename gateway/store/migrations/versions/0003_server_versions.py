"""Versions of dynamic servers and the files that they hold."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

from gateway.store.types import BYTES, INTEGER, Json, Words

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "server_versions",
        Column("server", Words(), nullable=False),
        Column("number", INTEGER, nullable=False),
        Column("origin", Words(), nullable=False),
        Column("author", Words(), nullable=False),
        Column("made_at", INTEGER, nullable=False),
        Column("digest", Words(), nullable=False),
        Column("result", Words(), nullable=False),
        Column("reason", Words(), nullable=False),
        Column("files", Json(), nullable=True),
        Column("restored", INTEGER, nullable=True),
        PrimaryKeyConstraint("server", "number", name="pk_server_versions"),
        sqlite_strict=True,
    )
    op.create_table(
        "server_files",
        Column("server", Words(), nullable=False),
        Column("sha256", Words(), nullable=False),
        Column("content", BYTES, nullable=False),
        PrimaryKeyConstraint("server", "sha256", name="pk_server_files"),
        sqlite_strict=True,
    )
