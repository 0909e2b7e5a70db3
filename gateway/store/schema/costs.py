"""What runs and days have cost, by model."""

from collections.abc import Iterator

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table

from gateway.store.schema.metadata import metadata
from gateway.store.types import INTEGER, Words

SUMS = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_micro_usd",
    "unpriced",
)


def _sums() -> Iterator["Column[int]"]:
    return (Column(name, INTEGER, nullable=False) for name in SUMS)


run_costs = Table(
    "run_costs",
    metadata,
    Column("run_id", Words, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("model", Words, nullable=False),
    *_sums(),
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
    *_sums(),
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
