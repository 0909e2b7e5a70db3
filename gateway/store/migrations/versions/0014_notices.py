"""Notices to the owner: channels, outbox, and how often in a row a job has failed."""

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint, text

from gateway.store.types import BYTES, INTEGER, Json, Words

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create three tables and add two columns."""
    op.create_table(
        "channels",
        *(Column(name, Words(), nullable=False) for name in ("id", "name", "kind", "place")),
        Column("occasions", Json(), nullable=False),
        Column("created_at", INTEGER, nullable=False),
        Column("sent_at", INTEGER),
        Column("failed_at", INTEGER),
        Column("error", Words()),
        Column("key_id", Words(), nullable=False),
        Column("sealed", BYTES, nullable=False),
        PrimaryKeyConstraint("id", name="pk_channels"),
        UniqueConstraint("name", name="uq_channels_name"),
        ForeignKeyConstraint(["key_id"], ["data_keys.id"], name="fk_channels_key_id"),
        sqlite_strict=True,
    )
    words = ("id", "occasion", "subject", "title", "text")
    op.create_table(
        "notices",
        *(Column(name, Words(), nullable=False) for name in words),
        Column("at", INTEGER, nullable=False),
        Column("state", Words(), nullable=False),
        Column("settled_at", INTEGER),
        PrimaryKeyConstraint("id", name="pk_notices"),
        sqlite_strict=True,
    )
    settled = ["state", "occasion", "settled_at"]
    op.create_index("ix_notices_state_occasion_settled_at", "notices", settled)
    op.create_index("ix_notices_at", "notices", ["at"])
    _create_sendings()
    op.add_column("jobs", Column("notify_after", INTEGER))
    op.add_column("jobs", Column("failures", INTEGER, nullable=False, server_default=text("0")))


def _create_sendings() -> None:
    op.create_table(
        "sendings",
        Column("notice_id", Words(), nullable=False),
        Column("channel_id", Words(), nullable=False),
        Column("state", Words(), nullable=False),
        Column("attempts", INTEGER, nullable=False),
        Column("next_at", INTEGER),
        Column("error", Words()),
        PrimaryKeyConstraint("notice_id", "channel_id", name="pk_sendings"),
        *(
            ForeignKeyConstraint(
                [f"{owner}_id"],
                [f"{owner}s.id"],
                name=f"fk_sendings_{owner}_id",
                ondelete="CASCADE",
            )
            for owner in ("notice", "channel")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_sendings_state_next_at", "sendings", ["state", "next_at"])
    op.create_index("ix_sendings_channel_id", "sendings", ["channel_id"])
