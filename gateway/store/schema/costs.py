"""What runs and days have cost, by model."""

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table

from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, Words

run_costs = Table(
    "run_costs",
    metadata,
    Column("run_id", Words, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("model", Words, nullable=False),
    Column("requests", INTEGER, nullable=False),
    Column("input_tokens", INTEGER, nullable=False),
    Column("output_tokens", INTEGER, nullable=False),
    Column("cache_read_tokens", INTEGER, nullable=False),
    Column("cache_write_tokens", INTEGER, nullable=False),
    Column("cost_micro_usd", INTEGER, nullable=False),
    Column("unpriced", INTEGER, nullable=False),
    PrimaryKeyConstraint("run_id", "model"),
    sqlite_strict=True,
)

# No foreign keys: what was spent stays spent when a run or its job is deleted.
day_costs = Table(
    "day_costs",
    metadata,
    Column("day", Words, nullable=False),
    Column("owner", Words, nullable=False),
    Column("model", Words, nullable=False),
    Column("requests", INTEGER, nullable=False),
    Column("input_tokens", INTEGER, nullable=False),
    Column("output_tokens", INTEGER, nullable=False),
    Column("cache_read_tokens", INTEGER, nullable=False),
    Column("cache_write_tokens", INTEGER, nullable=False),
    Column("cost_micro_usd", INTEGER, nullable=False),
    Column("unpriced", INTEGER, nullable=False),
    PrimaryKeyConstraint("day", "owner", "model"),
    sqlite_strict=True,
)

# Which budgets of days were reached, so that each is told once.
day_budgets_reached = Table(
    "day_budgets_reached",
    metadata,
    Column("day", Words, nullable=False),
    Column("owner", Words, nullable=False),
    Column("limit_micro_usd", INTEGER, nullable=False),
    PrimaryKeyConstraint("day", "owner", "limit_micro_usd"),
    sqlite_strict=True,
)
