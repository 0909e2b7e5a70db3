"""``/jobs``: every job, those due first before those that are not; a live fragment."""

from jinja2 import Environment
from quart import render_template

from gateway.budgets.days import day_of, days_before
from gateway.dashboard.live import Live
from gateway.domain.budget import CostGroup
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.job_pages.rows import JobRow, job_row
from gateway.store import Store

WEEK = 7
FRAGMENT = "job-list"


class JobList:
    """The handler, with what it needs."""

    def __init__(self, store: Store, zone: str) -> None:
        """`zone`: where days begin."""
        self._store = store
        self._zone = zone

    def register(self, live: Live, templates: Environment) -> None:
        """Have open pages follow what happens."""
        template = templates.get_template("job_list.html")

        async def render(_: str) -> str:
            return await template.render_async(rows=await self._rows())

        live.register(FRAGMENT, render, ticks=True)

    async def index(self) -> str:
        """The page."""
        return await render_template("jobs.html", followed=FRAGMENT)

    async def _rows(self) -> list[JobRow]:
        now = utc_ms()
        since = days_before(day_of(now, self._zone).name, WEEK - 1)
        lines = await self._store.cost_history.lines(CostGroup.JOB, since)
        costs = {line.name: line.tokens.cost_micro_usd for line in lines}
        last = await self._store.runs.newest_of_jobs()
        jobs = sorted(await self._store.jobs.all(), key=_due_first)
        return [job_row(job, last.get(job.id), costs.get(job.id, 0), now) for job in jobs]


def _due_first(job: Job) -> tuple[bool, int, str]:
    return job.next_fire_at is None, job.next_fire_at or 0, job.name
