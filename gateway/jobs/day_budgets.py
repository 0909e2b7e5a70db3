"""Holds runs to the budgets of the day: before they start, while they go on, and after they end.

A job or webhook whose budget is spent pauses until the day is over; when that of all runs is
spent, none starts until then. A run that cannot start ends as `budget`, so that nothing waits
unseen.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.budgets.book import Book
from gateway.budgets.days import day_of, days_before
from gateway.budgets.words import day_is_spent
from gateway.domain.budget import Day, DayBudget, DayLimits, Limit
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.domain.run import Run
from gateway.domain.webhook import Webhook
from gateway.jobs.calendar import next_firings
from gateway.jobs.errors import InvalidCron
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
        self.now_ms = now_ms
        self._zone = zone
        self._all_micro_usd = all_micro_usd
        self.pause_webhook: Callable[[str, int], Awaitable[None]] = store.webhooks.pause_until
        """Has a webhook take nothing before an instant; those who hold webhooks put theirs here."""
        self.spent_until = 0
        """When the day ends in which a run found the budget of all runs spent."""

    def today(self) -> Day:
        """Return the present day."""
        return day_of(self.now_ms(), self._zone)

    def limits(self) -> DayLimits:
        """Return what a run must fit into to start."""
        return DayLimits(self.today().name, self._all_micro_usd)

    async def book(self, run: Run) -> Book:
        """Return the book of an attempt that begins."""
        owner = await self._owner(run.job_id, run.webhook_id)
        return Book(
            self._store,
            run,
            self.today,
            all_micro_usd=self._all_micro_usd,
            own_micro_usd=owner.day_budget_micro_usd if owner else None,
        )

    async def spent_for(
        self, *, job_id: str | None = None, webhook_id: str | None = None
    ) -> DayBudget | None:
        """Return a budget of today that lets no run of this job or webhook start, or None."""
        for budget in (await self._all_runs(), await self._own(job_id, webhook_id)):
            if budget is not None and budget.spent:
                return budget
        return None

    async def refuse(self, now: int) -> tuple[str, ...]:
        """End queued runs for which nothing is left today; return their ids."""
        spent = await self._store.costs.spent_budgets(self.today())
        if (all_runs := await self._all_runs()) and all_runs.spent:
            spent = (all_runs, *spent)
        refused: list[str] = []
        for budget in spent:
            reason = f"Not started: {day_is_spent(budget)}."
            refused += await self._store.costs.refuse_queued(budget, reason, now)
            await self._pause_and_tell(budget)
        return tuple(refused)

    async def note_end(self, run: Run, limit: Limit | None) -> None:
        """Do what follows when a run was stopped by a budget of the day.

        Nothing, if that is not spent: a new day began, or the owner raised it.
        """
        budget = None
        if limit is Limit.ALL_DAY:
            budget = await self._all_runs()
        elif limit in (Limit.JOB_DAY, Limit.WEBHOOK_DAY):
            budget = await self._own(run.job_id, run.webhook_id)
        if budget is not None and budget.spent:
            await self._pause_and_tell(budget)

    async def forget_old(self) -> None:
        """Delete what days cost that are long over."""
        await self._store.costs.forget(days_before(self.today().name, KEPT_DAYS))

    async def _all_runs(self) -> DayBudget | None:
        if self._all_micro_usd is None:
            return None
        day = self.today()
        return DayBudget(day, self._all_micro_usd, await self._store.costs.spent(day.name))

    async def _own(self, job_id: str | None, webhook_id: str | None) -> DayBudget | None:
        owner = await self._owner(job_id, webhook_id)
        if owner is None or owner.day_budget_micro_usd is None:
            return None
        day = self.today()
        spent = await self._store.costs.spent(day.name, owner.id)
        return DayBudget(day, owner.day_budget_micro_usd, spent, job_id, webhook_id)

    async def _pause_and_tell(self, budget: DayBudget) -> None:
        owner = await self._owner(budget.job_id, budget.webhook_id)
        if budget.limit is Limit.ALL_DAY:
            self.spent_until = budget.day.ends_at
        if isinstance(owner, Job):
            while not await self._pause(owner.id, budget.day.ends_at):
                pass  # Moved by the scheduler or changed meanwhile: as it is now, it pauses.
        elif owner is not None:
            await self.pause_webhook(owner.id, budget.day.ends_at)
        notice = day_budget_reached(budget, owner, day_is_spent(budget), self.now_ms())
        if await self._store.costs.note_reached(budget, notice):
            self._store.notices.ring()
            log.warning("Budget of the day reached: %s", notice.text)

    async def _owner(self, job_id: str | None, webhook_id: str | None) -> Job | Webhook | None:
        if job_id is not None:
            return await self._store.jobs.get(job_id)
        return None if webhook_id is None else await self._store.webhooks.get(webhook_id)

    async def _pause(self, job_id: str, until: int) -> bool:
        """Pause a job unless that would take an instant away; False: it changed meanwhile."""
        job, now = await self._store.jobs.get(job_id), self.now_ms()
        if job is None or job.at is not None or (job.paused_until or 0) >= until:
            # A pause over its only time would take that away.
            return True
        if job.enabled and job.next_fire_at is not None and job.next_fire_at <= now:
            # The scheduler makes a run of it, which cannot start, and that comes back here.
            return True
        try:
            times = next_firings(replace(job, paused_until=until), now, 1)
        except InvalidCron:
            # It became invalid; the scheduler tells of it, and the pause holds all the same.
            times = ()
        next_fire_at = times[0] if times else None
        return await self._store.jobs.pause(job, until, next_fire_at=next_fire_at)
