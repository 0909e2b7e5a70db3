"""What webhooks may cost in a day."""

from alembic import op
from sqlalchemy import Column

from gateway.store.types import INTEGER

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the columns; webhooks that there are have no budget of a day."""
    op.add_column("webhooks", Column("day_budget_micro_usd", INTEGER))
    op.add_column("webhooks", Column("paused_until", INTEGER))
