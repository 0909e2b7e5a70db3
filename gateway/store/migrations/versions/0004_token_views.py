"""Tokens can be made for named servers and tools."""

from alembic import op
from sqlalchemy import Column

from gateway.store.types import Json

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; tokens that are there go on to show everything."""
    op.add_column("tokens", Column("view", Json(), nullable=True))
