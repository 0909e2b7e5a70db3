"""``/runs``: runs by job, webhook, state and time, newest first, a page at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from quart import render_template, request
from werkzeug.exceptions import BadRequest

from gateway.audit.views import BadWish
from gateway.budgets.days import day_of, days_before
from gateway.dashboard.views import RunRow, money, run_rows
from gateway.domain.budget import CostGroup
from gateway.domain.run import RunStatus, RunWish
from gateway.run_export.rows import cursor_of, read_run_wish
from gateway.store import Store

PAGE_RUNS = 50
DAYS = 7
CHOICES = 500
"""Jobs, and webhooks, that a filter offers; of others the address may name the id."""
FILTERS = ("job", "webhook", "status", "since", "until")

Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list."""

    row: RunRow
    owner: str
    """Name of its job or webhook."""
    final: bool


class RunHistory:
    """The handler, with what it needs."""

    def __init__(self, store: Store, zone: str, now_ms: Callable[[], int]) -> None:
        """`zone`: where days begin."""
        self._store = store
        self._zone = zone
        self._now_ms = now_ms

    async def index(self) -> str:
        """A page of runs, what they cost lately, and filters."""
        filters = {name: request.args.get(name, "").strip() for name in FILTERS}
        wish = self._wish()
        jobs = tuple((each.id, each.name) for each in await self._store.jobs.all())
        hooks = tuple((each.id, each.name) for each in await self._store.webhooks.all())
        names = dict((*jobs, *hooks))
        found = await self._store.run_history.newest(replace(wish, limit=PAGE_RUNS + 1))
        shown = found[:PAGE_RUNS]
        listed = [
            Listed(row, names.get(owner, owner), run.status.final)
            for run, row in zip(shown, run_rows(shown), strict=True)
            for owner in (run.job_id or run.webhook_id or "",)
        ]
        return await render_template(
            "runs.html",
            runs=listed,
            filters=filters,
            asked={name: text for name, text in filters.items() if text},
            jobs=_offered(jobs, filters["job"]),
            webhooks=_offered(hooks, filters["webhook"]),
            statuses=(("", "any"), *((each.value, each.value) for each in RunStatus)),
            older=cursor_of(shown[-1]) if len(found) > len(shown) else None,
            newest=wish.after is None,
            costs=await self._costs(wish.job_id or wish.webhook_id),
        )

    def _wish(self) -> RunWish:
        try:
            return read_run_wish(request.args.to_dict(), self._now_ms())
        except BadWish as error:
            raise BadRequest(str(error)) from error

    async def _costs(self, owner: str | None) -> tuple[tuple[str, str], ...]:
        """Return what runs cost today and in the last days, of one job or webhook or of all."""
        today = day_of(self._now_ms(), self._zone).name
        since = days_before(today, DAYS - 1)
        days = await self._store.cost_history.lines(CostGroup.DAY, since, owner)
        by_day = {line.name: line.tokens.cost_micro_usd for line in days}
        return (
            ("Today", money(by_day.get(today, 0))),
            (f"Last {DAYS} days", money(sum(by_day.values()))),
        )


def _offered(owners: Choices, chosen: str) -> Choices:
    """Return what a filter offers: any, the chosen one, and others."""
    known = {owner for owner, _ in owners[:CHOICES]}
    extra = ((chosen, chosen),) if chosen and chosen not in known else ()
    return (("", "any"), *extra, *owners[:CHOICES])
