"""Holds runs to the budgets of the day: before they start, while they go on, and after they end.

A job whose budget is spent pauses until the day is over; when that of all runs is spent, none
starts until then. A run that cannot start ends as `budget`, so that nothing waits unseen.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from gateway.budgets.book import Book
from gateway.budgets.days import day_of, days_before
from gateway.budgets.words import day_is_spent
from gateway.domain.budget import Day, DayBudget, DayLimits, Limit
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.domain.run import Run
from gateway.jobs.calendar import next_firings
from gateway.notify.wording import day_budget_reached
from gateway.settings import Settings
from gateway.store import Store

log = logging.getLogger(__name__)

KEPT_DAYS = 400
"""A year's costs can be compared with those of the year before, by month."""


def open_day_budgets(settings: Settings, store: Store) -> "DayBudgets":
    """Return the budgets of days by the owner's settings."""
    limit = settings.daily_budget_usd or None
    return DayBudgets(store, utc_ms, zone=settings.default_timezone, all_micro_usd=limit)


class DayBudgets:
    """The budgets of today, in `zone`."""

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        *,
        zone: str = "UTC",
        all_micro_usd: int | None = None,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._zone = zone
        self._all_micro_usd = all_micro_usd

    def today(self) -> Day:
        """Return the present day."""
        return day_of(self._now_ms(), self._zone)

    def limits(self) -> DayLimits:
        """Return what a run must fit into to start."""
        return DayLimits(self.today().name, self._all_micro_usd)

    async def book(self, run: Run) -> Book:
        """Return the book of an attempt that begins."""
        job = await self._store.jobs.get(run.job_id) if run.job_id else None
        return Book(
            self._store,
            run,
            self.today,
            all_micro_usd=self._all_micro_usd,
            job_micro_usd=job.day_budget_micro_usd if job else None,
        )

    async def refuse(self, now: int) -> tuple[str, ...]:
        """End queued runs for which nothing is left today; return their ids."""
        spent = await self._store.costs.spent_jobs(self.today())
        if (all_runs := await self._all_runs()) and all_runs.spent:
            spent = (all_runs, *spent)
        refused: list[str] = []
        for budget in spent:
            reason = f"Not started: {day_is_spent(budget)}."
            refused += await self._store.costs.refuse_queued(budget, reason, now)
            await self._pause_and_tell(budget)
        return tuple(refused)

    async def note_end(self, run: Run, limit: Limit | None) -> None:
        """Do what follows when a run was stopped by a budget of the day."""
        if limit is Limit.ALL_DAY and (all_runs := await self._all_runs()):
            await self._pause_and_tell(all_runs)
        job = await self._store.jobs.get(run.job_id) if run.job_id else None
        if limit is Limit.JOB_DAY and job and job.day_budget_micro_usd is not None:
            day = self.today()
            spent = await self._store.costs.spent(day.name, job.id)
            await self._pause_and_tell(DayBudget(day, job.day_budget_micro_usd, spent, job.id))

    async def forget_old(self) -> None:
        """Delete what days cost that are long over."""
        await self._store.costs.forget(days_before(self.today().name, KEPT_DAYS))

    async def _all_runs(self) -> DayBudget | None:
        if self._all_micro_usd is None:
            return None
        day = self.today()
        return DayBudget(day, self._all_micro_usd, await self._store.costs.spent(day.name))

    async def _pause_and_tell(self, budget: DayBudget) -> None:
        job = await self._store.jobs.get(budget.job_id) if budget.job_id else None
        if job:
            await self._pause(job, budget.day.ends_at)
        notice = day_budget_reached(budget, job, day_is_spent(budget), self._now_ms())
        if await self._store.costs.note_reached(budget, notice):
            self._store.notices.ring()
            log.warning("Budget of the day reached: %s", notice.text)

    async def _pause(self, job: Job, until: int) -> None:
        if job.at is not None or (job.paused_until or 0) >= until:
            # A pause over its only time would take that away.
            return
        times = next_firings(replace(job, paused_until=until), self._now_ms(), 1)
        await self._store.jobs.pause(job, until, next_fire_at=times[0] if times else None)
