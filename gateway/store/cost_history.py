"""What was spent, added up by day, job, model or server."""

from sqlalchemy import func, select

from gateway.domain.budget import CostGroup, CostLine, ServerCost
from gateway.store.costs import COUNTS, read_tokens
from gateway.store.database import Database
from gateway.store.schema import day_costs, run_calls, runs

MAX_LINES = 400
"""As many as days are kept; of jobs, models and servers the dearest."""


class CostHistory:
    """Sums over `day_costs`, and over the runs that are kept."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def lines(
        self, by: CostGroup, since: str, owner: str | None = None
    ) -> tuple[CostLine, ...]:
        """Return the sums from a day on, of one job or webhook or of all.

        Days come newest first, others the dearest first.
        """
        column = {
            CostGroup.DAY: day_costs.c.day,
            CostGroup.JOB: day_costs.c.owner,
            CostGroup.WEBHOOK: day_costs.c.owner,
            CostGroup.MODEL: day_costs.c.model,
        }[by]
        sums = [func.sum(day_costs.c[name]).label(name) for name in COUNTS]
        statement = select(column.label("name"), *sums).where(day_costs.c.day >= since)
        if owner is not None:
            statement = statement.where(day_costs.c.owner == owner)
        if by is CostGroup.WEBHOOK:
            # By the ids themselves: what a deleted webhook cost counts too.
            statement = statement.where(day_costs.c.owner.startswith("webhook_", autoescape=True))
        cost = func.sum(day_costs.c.cost_micro_usd).desc()
        order = [column.desc()] if by is CostGroup.DAY else [cost, column]
        grouped = statement.group_by(column).order_by(*order).limit(MAX_LINES)
        return tuple(CostLine(row["name"], read_tokens(row)) for row in await self._db.all(grouped))

    async def servers(self, since: int, owner: str | None = None) -> tuple[ServerCost, ...]:
        """Return the sums of runs made since an instant that are kept, the dearest first.

        `owner`: only runs of this job or webhook.
        """
        used = (
            select(run_calls.c.run_id, run_calls.c.server, func.count().label("calls"))
            .where(run_calls.c.server != "")
            .group_by(run_calls.c.run_id, run_calls.c.server)
            .subquery()
        )
        cost = func.coalesce(func.sum(runs.c.cost_micro_usd), 0)
        statement = (
            select(
                used.c.server,
                func.count().label("runs"),
                func.sum(used.c.calls).label("calls"),
                cost.label("cost"),
                (func.count() - func.count(runs.c.cost_micro_usd)).label("unpriced"),
            )
            .join(runs, runs.c.id == used.c.run_id)
            .where(runs.c.created_at >= since)
        )
        if owner is not None:
            statement = statement.where((runs.c.job_id == owner) | (runs.c.webhook_id == owner))
        grouped = statement.group_by(used.c.server).order_by(cost.desc(), used.c.server)
        return tuple(
            ServerCost(
                row["server"],
                int(row["runs"]),
                int(row["calls"]),
                int(row["cost"]),
                int(row["unpriced"]),
            )
            for row in await self._db.all(grouped.limit(MAX_LINES))
        )
