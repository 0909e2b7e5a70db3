"""Writes down what one attempt at a run costs, and knows the budgets of the day that it is under.

The forwarder asks it before each request, so that runs side by side overspend a day's budget by
no more than the requests that are under way.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.budgets.prices import Usage
from gateway.budgets.words import day_is_spent
from gateway.domain.budget import Charge, Day, DayBudget, Limit, Tokens
from gateway.domain.run import Run
from gateway.store import Store


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that keeps a run from asking the model again."""

    limit: Limit
    sentence: str


class Book:
    """The account book of one attempt."""

    def __init__(
        self,
        store: Store,
        run: Run,
        today: Callable[[], Day],
        *,
        all_micro_usd: int | None,
        own_micro_usd: int | None,
    ) -> None:
        """`own_micro_usd`: the budget of the run's job or webhook."""
        self._store = store
        self._run = run
        self._today = today
        self._all_micro_usd = all_micro_usd
        self._own_micro_usd = own_micro_usd

    @property
    def is_limited(self) -> bool:
        """Tell whether a day's budget holds for the run."""
        return self._all_micro_usd is not None or self._own_micro_usd is not None

    async def reached(self) -> Reached | None:
        """Return the budget of today that is spent, or None. Raises StoreError."""
        day, run = self._today(), self._run
        if self._all_micro_usd is not None:
            spent = await self._store.costs.spent(day.name)
            budget = DayBudget(day, self._all_micro_usd, spent)
            if budget.spent:
                return Reached(budget.limit, f"Stopped: {day_is_spent(budget)}.")
        if self._own_micro_usd is not None:
            spent = await self._store.costs.spent(day.name, run.job_id or run.webhook_id)
            own = self._own_micro_usd
            budget = DayBudget(day, own, spent, run.job_id, None if run.job_id else run.webhook_id)
            if budget.spent:
                return Reached(budget.limit, f"Stopped: {day_is_spent(budget)}.")
        return None

    async def charge(self, model: str, usage: Usage, cost_micro_usd: int | None) -> None:
        """Write one answer down; a cost of None is not known. Raises StoreError."""
        await self._store.costs.charge(
            Charge(
                run_id=self._run.id,
                attempt=self._run.attempt,
                day=self._today().name,
                owner=self._run.job_id or self._run.webhook_id or "",
                model=model,
                tokens=Tokens(
                    requests=1,
                    input_tokens=usage.input,
                    output_tokens=usage.output,
                    cache_read_tokens=usage.cache_read,
                    cache_write_tokens=usage.cache_write + usage.cache_write_1h,
                    cost_micro_usd=cost_micro_usd or 0,
                    unpriced=int(cost_micro_usd is None),
                ),
            )
        )
