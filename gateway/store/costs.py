"""What was spent: by run, and by day and owner; written after every answer of the model."""

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Select, Table, delete, func, literal, select, update
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.budget import Charge, Day, DayBudget, ModelCost, Tokens
from gateway.domain.notice import Notice
from gateway.domain.run import RunStatus
from gateway.store.affordable import CLAIMED
from gateway.store.database import Database, Row
from gateway.store.notices import insert_notice
from gateway.store.schema import (
    day_budgets_reached,
    day_costs,
    jobs,
    run_costs,
    runs,
    webhooks,
)

COUNTS = tuple(field.name for field in fields(Tokens))


class CostTable:
    """Statements on `run_costs`, `day_costs` and `day_budgets_reached`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def charge(self, charge: Charge) -> None:
        """Add one answer to its day and its run, together.

        The day counts it also when the run was given up or deleted meanwhile.
        """
        counts = asdict(charge.tokens)
        day = self._db.insert(day_costs).values(
            day=charge.day, owner=charge.owner, model=charge.model, **counts
        )
        await self._db.change_together(
            _adding(day, day_costs, ["day", "owner", "model"]),
            (self._of_run(charge, counts), _running_total(charge)),
        )

    async def of_run(self, run_id: str) -> tuple[ModelCost, ...]:
        """Return what a run used, by model, the dearest first."""
        statement = (
            select(run_costs)
            .where(run_costs.c.run_id == run_id)
            .order_by(run_costs.c.cost_micro_usd.desc(), run_costs.c.model)
        )
        return tuple(
            ModelCost(row["model"], read_tokens(row)) for row in await self._db.all(statement)
        )

    async def spent(self, day: str, owner: str | None = None) -> int:
        """Return what the runs of an owner, or all, cost on a day."""
        row = await self._db.one(spent_on(day, owner))
        assert row is not None, "an aggregate without groups is one row"
        return int(row["spent"])

    async def spent_budgets(self, day: Day) -> tuple[DayBudget, ...]:
        """Return those of jobs and webhooks that have queued runs and nothing left for the day."""
        found: list[DayBudget] = []
        for owners, column in ((jobs, "job_id"), (webhooks, "webhook_id")):
            spent = spent_on(day.name, None).where(day_costs.c.owner == owners.c.id)
            total = spent.correlate(owners).scalar_subquery()
            queued = select(runs.c.id).where(
                runs.c[column] == owners.c.id, runs.c.status == RunStatus.QUEUED
            )
            limit = owners.c.day_budget_micro_usd
            statement = select(owners.c.id, limit.label("most"), total.label("spent")).where(
                limit.is_not(None), limit <= total, queued.correlate(owners).exists()
            )
            found += [
                DayBudget(day, row["most"], int(row["spent"]), **{column: row["id"]})
                for row in await self._db.all(statement)
            ]
        return tuple(found)

    async def refuse_queued(self, budget: DayBudget, reason: str, now: int) -> tuple[str, ...]:
        """End the queued runs for which a day's budget has nothing left; return their ids."""
        statement = update(runs).where(runs.c.status == RunStatus.QUEUED)
        if budget.job_id is not None:
            statement = statement.where(runs.c.job_id == budget.job_id)
        if budget.webhook_id is not None:
            statement = statement.where(runs.c.webhook_id == budget.webhook_id)
        refused = statement.values(
            status=RunStatus.BUDGET, limit_reached=budget.limit, error=reason, finished_at=now
        ).returning(runs.c.id)
        return tuple(row["id"] for row in await self._db.change_returning(refused))

    async def note_reached(self, budget: DayBudget, notice: Notice) -> bool:
        """Note that a day's budget is reached, with its notice; False when it was noted before."""
        statement = (
            self._db.insert(day_budgets_reached)
            .values(
                day=budget.day.name,
                owner=budget.owner,
                limit_micro_usd=budget.limit_micro_usd,
            )
            .on_conflict_do_nothing()
            .returning(day_budgets_reached.c.day)
        )

        async def work(connection: AsyncConnection) -> bool:
            if not (await connection.execute(statement)).all():
                return False
            await connection.execute(insert_notice(notice))
            return True

        return await self._db.transact(work)

    async def forget(self, before: str) -> None:
        """Delete the days before a day."""
        for table in (day_costs, day_budgets_reached):
            await self._db.change(delete(table).where(table.c.day < before))

    def _of_run(self, charge: Charge, counts: dict[str, int]) -> Insert:
        # From the run's row, for a run may have been deleted.
        values = {"run_id": charge.run_id, "model": charge.model, **counts}
        chosen = select(
            *(literal(value, run_costs.c[name].type) for name, value in values.items())
        ).where(runs.c.id == charge.run_id)
        statement = self._db.insert(run_costs).from_select([*values], chosen)
        return _adding(statement, run_costs, ["run_id", "model"])


def spent_on(day: str, owner: str | None) -> Select[Any]:
    """Return the statement for what the runs of an owner, or all, cost on a day."""
    statement = select(func.coalesce(func.sum(day_costs.c.cost_micro_usd), 0).label("spent"))
    statement = statement.where(day_costs.c.day == day)
    return statement if owner is None else statement.where(day_costs.c.owner == owner)


def read_tokens(row: Row) -> Tokens:
    """Return the counts of a row; sums come as decimals from PostgreSQL."""
    return Tokens(**{name: int(row[name]) for name in COUNTS})


def _adding(statement: Insert, table: Table, key: list[str]) -> Insert:
    """Return the INSERT that adds to the row if there is one."""
    sums = {name: table.c[name] + statement.excluded[name] for name in COUNTS}
    return statement.on_conflict_do_update(index_elements=key, set_=sums)


def _running_total(charge: Charge) -> Any:
    """Return the UPDATE of what a live run's row says; its end writes the same sums."""
    tokens = charge.tokens
    prompt = tokens.input_tokens + tokens.cache_read_tokens + tokens.cache_write_tokens
    added = {"input_tokens": prompt, "output_tokens": tokens.output_tokens}
    if not tokens.unpriced:
        added["cost_micro_usd"] = tokens.cost_micro_usd
    return (
        update(runs)
        .where(
            runs.c.id == charge.run_id,
            runs.c.attempt == charge.attempt,
            runs.c.status.in_(CLAIMED),
        )
        .values({name: func.coalesce(runs.c[name], 0) + value for name, value in added.items()})
    )
