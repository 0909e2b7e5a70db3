"""What attempts at runs left in their work folders; the bytes lie in files of the home."""

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, PrimaryKeyConstraint, Table

from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, Flag, Words

run_file_sets = Table(
    "run_file_sets",
    metadata,
    Column("run_id", Words, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", INTEGER, nullable=False),
    Column("at", INTEGER, nullable=False),
    Column("kept", INTEGER, nullable=False),
    Column("bytes", INTEGER, nullable=False),
    Column("unlisted", INTEGER, nullable=False),
    Column("cut", Flag, nullable=False),
    PrimaryKeyConstraint("run_id", "attempt"),
    sqlite_strict=True,
)

run_files = Table(
    "run_files",
    metadata,
    Column("run_id", Words, nullable=False),
    Column("attempt", INTEGER, nullable=False),
    Column("seq", INTEGER, nullable=False),
    Column("path", Words, nullable=False),
    Column("size", INTEGER, nullable=False),
    Column("kind", Words, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("reason", Words, nullable=False),
    PrimaryKeyConstraint("run_id", "attempt", "seq"),
    ForeignKeyConstraint(
        ["run_id", "attempt"],
        ["run_file_sets.run_id", "run_file_sets.attempt"],
        ondelete="CASCADE",
    ),
    sqlite_strict=True,
)
