"""Jobs say what becomes of instants that overlap or were missed, and may run only once."""

from typing import Any

from alembic import op
from sqlalchemy import Column, text
from sqlalchemy.types import TypeEngine

from gateway.store.types import INTEGER, REAL_NUMBER, Words

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; jobs that exist keep what was the rule for all of them."""
    with op.batch_alter_table("jobs", table_kwargs={"sqlite_strict": True}) as jobs:
        jobs.alter_column("cron", existing_type=Words(), nullable=True)
        jobs.add_column(Column("at", INTEGER))
        jobs.add_column(Column("paused_until", INTEGER))
        jobs.add_column(_always("jitter_s", REAL_NUMBER, "0"))
        jobs.add_column(_always("catch_up", Words(), "'latest'"))
        jobs.add_column(_always("catch_up_max", INTEGER, "10"))
        jobs.add_column(_always("grace_s", REAL_NUMBER, "3600"))
        jobs.add_column(_always("overlap", Words(), "'skip'"))
    op.add_column("runs", Column("scheduled_until", INTEGER))


def _always(name: str, kind: TypeEngine[Any], default: str) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text(default))
