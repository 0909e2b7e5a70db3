"""What attempts at runs left in their work folders."""

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint

from gateway.store.types import INTEGER, Flag, Words

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Create two tables."""
    op.create_table(
        "run_file_sets",
        Column("run_id", Words(), nullable=False),
        Column("attempt", INTEGER, nullable=False),
        *(Column(name, INTEGER, nullable=False) for name in ("at", "kept", "bytes", "unlisted")),
        Column("cut", Flag(), nullable=False),
        ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_run_file_sets_run_id", ondelete="CASCADE"
        ),
        PrimaryKeyConstraint("run_id", "attempt", name="pk_run_file_sets"),
        sqlite_strict=True,
    )
    op.create_table(
        "run_files",
        Column("run_id", Words(), nullable=False),
        Column("attempt", INTEGER, nullable=False),
        Column("seq", INTEGER, nullable=False),
        Column("path", Words(), nullable=False),
        Column("size", INTEGER, nullable=False),
        *(Column(name, Words(), nullable=False) for name in ("kind", "sha256", "reason")),
        ForeignKeyConstraint(
            ["run_id", "attempt"],
            ["run_file_sets.run_id", "run_file_sets.attempt"],
            name="fk_run_files_run_id",
            ondelete="CASCADE",
        ),
        PrimaryKeyConstraint("run_id", "attempt", "seq", name="pk_run_files"),
        sqlite_strict=True,
    )
