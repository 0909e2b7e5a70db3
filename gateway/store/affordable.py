"""Which queued runs may start within the budgets of the day, as conditions of the claim itself.

What live runs may yet spend is reserved: their budgets less what they cost so far. A run without a
budget of its own reserves nothing; it is held to the day's budgets by the forwarder alone.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, func, literal, select

from gateway.domain.budget import DayLimits
from gateway.domain.run import RunStatus
from gateway.store.schema import day_costs, jobs, runs, webhooks

KEPT = 4
"""Limits for which the conditions are kept: making them takes longer than the claim itself."""
CLAIMED = (RunStatus.STARTING, RunStatus.RUNNING)


@lru_cache(maxsize=KEPT)
def affordable(within: DayLimits) -> tuple[ColumnElement[bool], ...]:
    """Return what holds for runs that may start."""
    return tuple(_affordable(within))


def _affordable(within: DayLimits) -> Iterator[ColumnElement[bool]]:
    for owners, column in ((jobs, "job_id"), (webhooks, "webhook_id")):
        # What its live runs may yet spend counts as spent.
        taken = _spent(within.day).where(day_costs.c.owner == owners.c.id)
        reserved = _reserved(column, owners)
        poor = select(owners.c.id).where(
            owners.c.id == runs.c[column],
            owners.c.day_budget_micro_usd.is_not(None),
            owners.c.day_budget_micro_usd
            <= taken.correlate(owners).scalar_subquery()
            + reserved.correlate(owners).scalar_subquery(),
        )
        yield ~poor.correlate(runs).exists()
    if within.all_micro_usd is not None:
        taken = _spent(within.day).scalar_subquery() + _reserved().scalar_subquery()
        yield literal(within.all_micro_usd) > taken


def _spent(day: str) -> Select[Any]:
    total = func.coalesce(func.sum(day_costs.c.cost_micro_usd), 0)
    return select(total).where(day_costs.c.day == day)


def _reserved(column: str = "", owners: Table | None = None) -> Select[Any]:
    live = runs.alias("live")
    left = live.c.budget_micro_usd - func.coalesce(live.c.cost_micro_usd, 0)
    total = func.coalesce(func.sum(case((left > 0, left), else_=0)), 0)
    statement = select(total).where(live.c.status.in_(CLAIMED))
    return statement if owners is None else statement.where(live.c[column] == owners.c.id)
