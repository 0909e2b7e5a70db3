"""``/jobs``: all of them, and one with its times, its history, its costs and what may be done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from quart import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from gateway.budgets.days import day_of, days_before
from gateway.dashboard.browser import Browser
from gateway.dashboard.cost_chart import DAYS, cost_chart
from gateway.dashboard.fields import read_values
from gateway.dashboard.live import Live as Fragments
from gateway.domain.budget import CostGroup
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.job_pages.form import REFUSALS
from gateway.job_pages.listing import WEEK, JobList
from gateway.job_pages.newest_runs import fragment_of, register_runs
from gateway.job_pages.rows import facts_of, job_row, times_of
from gateway.job_pages.writing import WritingPages
from gateway.jobs.desk import JobDesk
from gateway.jobs.errors import JobRefused, NoSuchJob
from gateway.jobs.given import Given
from gateway.settings import Settings
from gateway.store import Store
from gateway.tool_names import Live
from gateway.webhooks.fire_tokens import FireTokens, Opened

SHOWN_TIMES = 5
SWITCHES: Mapping[str, Given] = {
    "on": Given(enabled=True),
    "off": Given(enabled=False),
    "resume": Given(paused_until=""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """What one answer shows besides the job as it is."""

    opened: Opened | None = None
    """A fresh token, shown this once."""
    until: str = ""
    problem: str = ""
    """What is wrong with the time until which it was to pause."""
    problems: Mapping[str, str] = field(default_factory=dict[str, str])


class JobPages:
    """The handlers, with what they need."""

    def __init__(
        self,
        browser: Browser,
        settings: Settings,
        store: Store,
        desk: JobDesk,
        tokens: FireTokens,
        live: Callable[[], Live],
        follow: Fragments,
    ) -> None:
        """`live` returns the servers with the tools that they show now.

        `follow` takes the fragments that open pages keep current.
        """
        self._browser = browser
        self._settings = settings
        self._store = store
        self._desk = desk
        self._tokens = tokens
        self._live = live
        self._follow = follow

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("jobs", __name__, template_folder="templates")
        jobs = JobList(self._store, self._settings.default_timezone)
        pages.before_request(self._require_session)
        pages.register_error_handler(NoSuchJob, _not_there)
        pages.record(lambda made: jobs.register(self._follow, made.app.jinja_env))
        pages.record(lambda made: register_runs(self._store, self._follow, made.app.jinja_env))
        pages.get("/jobs")(jobs.index)
        pages.get("/jobs/<job_id>")(self.show)
        pages.post("/jobs/<job_id>/run")(self.run)
        pages.post("/jobs/<job_id>/switch")(self.switch)
        # `open` and `close` and not `fire`, which is the address that others call.
        pages.post("/jobs/<job_id>/open")(self.open)
        pages.post("/jobs/<job_id>/close")(self.close)
        pages.post("/jobs/<job_id>/delete")(self.delete)
        WritingPages(self._store, self._desk, self._live).add_to(pages)
        return pages

    async def show(self, job_id: str) -> str:
        """One job."""
        return await self._page(await self._desk.get(job_id), Further())

    async def run(self, job_id: str) -> Response:
        """Have the job run now, and lead to its run."""
        run = await self._desk.trigger(job_id)
        return redirect(f"/runs/{run.id}", HTTPStatus.SEE_OTHER)

    async def switch(self, job_id: str) -> Response | tuple[str, HTTPStatus]:
        """Pause the job until a time, end its pause, switch it off or on."""
        values = await read_values()
        do, until = values.get("do"), values.get("until", "").strip()
        given = Given(paused_until=until) if do == "pause" and until else SWITCHES.get(do or "")
        try:
            if do == "pause" and not until:
                raise JobRefused("paused_until", "Please say until when.")
            if given is None:
                raise BadRequest("The form does not say what to do.")
            await self._desk.change(job_id, given)
        except NoSuchJob:
            raise
        except REFUSALS as refused:
            said = str(refused)
            paused = do == "pause"
            further = Further(
                until=until,
                problem=said if paused else "",
                problems={} if paused else {"switch": said},
            )
            page = await self._page(await self._desk.get(job_id), further)
            return page, HTTPStatus.UNPROCESSABLE_ENTITY
        return self._to(job_id)

    async def open(self, job_id: str) -> str | tuple[str, HTTPStatus]:
        """Make a token with which a program outside fires the job, and show it this once."""
        job = await self._desk.get(job_id)
        try:
            return await self._page(job, Further(opened=await self._tokens.make(job)))
        except JobRefused:
            page = await self._page(job, Further(problems={"token": "Name its tools first."}))
            return page, HTTPStatus.UNPROCESSABLE_ENTITY

    async def close(self, job_id: str) -> Response:
        """End the job's token."""
        await self._desk.get(job_id)
        await self._tokens.end(job_id)
        return self._to(job_id)

    async def delete(self, job_id: str) -> Response:
        """Delete the job and its runs for good."""
        await self._desk.delete(job_id)
        return redirect(url_for("jobs.index"), HTTPStatus.SEE_OTHER)

    async def _page(self, job: Job, further: Further) -> str:
        now = utc_ms()
        today = day_of(now, self._settings.default_timezone).name
        since = days_before(today, DAYS - 1)
        lines = await self._store.cost_history.lines(CostGroup.DAY, since, job.id)
        costs = {line.name: line.tokens.cost_micro_usd for line in lines}
        week = sum(cost for day, cost in costs.items() if day >= days_before(today, WEEK - 1))
        names = {each.id: each.name for each in await self._store.jobs.all()}
        return await render_template(
            "job.html",
            job=job,
            row=job_row(job, None, week, now),
            times=times_of(job, now, SHOWN_TIMES),
            facts=facts_of(job, names),
            doubts=self._desk.doubts(job),
            followed=fragment_of(job.id),
            chart=cost_chart(costs, today),
            fire_url=await self._tokens.url(job),
            token=await self._tokens.find(job),
            further=further,
        )

    def _to(self, job_id: str) -> Response:
        return redirect(url_for("jobs.show", job_id=job_id), HTTPStatus.SEE_OTHER)

    async def _require_session(self) -> None:
        self._browser.require_session()


async def _not_there(error: Exception) -> tuple[str, HTTPStatus]:
    sentence = "There is no such job; the list has those that there are."
    page = await render_template("message.html", title="Not found", sentence=sentence)
    return page, HTTPStatus.NOT_FOUND
