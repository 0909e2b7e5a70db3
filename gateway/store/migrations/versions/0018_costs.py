"""What runs and days cost, and what jobs may cost in a day."""

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint

from gateway.store.types import INTEGER, Words

revision = "0018"
down_revision = "0017"

COUNTS = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_micro_usd",
    "unpriced",
)


def upgrade() -> None:
    """Create the tables; what runs cost before stays with the runs."""
    op.create_table(
        "run_costs",
        Column("run_id", Words(), nullable=False),
        Column("model", Words(), nullable=False),
        *(Column(name, INTEGER, nullable=False) for name in COUNTS),
        ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_run_costs_run_id", ondelete="CASCADE"
        ),
        PrimaryKeyConstraint("run_id", "model", name="pk_run_costs"),
        sqlite_strict=True,
    )
    op.create_table(
        "day_costs",
        Column("day", Words(), nullable=False),
        Column("owner", Words(), nullable=False),
        Column("model", Words(), nullable=False),
        *(Column(name, INTEGER, nullable=False) for name in COUNTS),
        PrimaryKeyConstraint("day", "owner", "model", name="pk_day_costs"),
        sqlite_strict=True,
    )
    op.create_table(
        "day_budgets_reached",
        Column("day", Words(), nullable=False),
        Column("owner", Words(), nullable=False),
        Column("limit_micro_usd", INTEGER, nullable=False),
        PrimaryKeyConstraint("day", "owner", "limit_micro_usd", name="pk_day_budgets_reached"),
        sqlite_strict=True,
    )
    op.add_column("jobs", Column("day_budget_micro_usd", INTEGER))
    op.add_column("runs", Column("limit_reached", Words()))
