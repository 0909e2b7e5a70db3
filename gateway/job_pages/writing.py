"""The forms that make and change a job, with a look at the times of its schedule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from zoneinfo import available_timezones

from quart import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway.dashboard.fields import WrongFields, read_chosen, read_values
from gateway.dashboard.tool_choice import chosen_names, tool_choice
from gateway.domain.clock import utc_ms
from gateway.job_pages.form import (
    CATCH_UP,
    ON_INTERRUPT,
    OVERLAP,
    REFUSALS,
    read_job,
    read_schedule,
    values_of,
    wrong_field,
)
from gateway.job_pages.rows import spoken
from gateway.jobs.desk import JobDesk, ToldJob
from gateway.jobs.times import zone_note
from gateway.store import Store
from gateway.tool_names import Live

SHOWN_TIMES = 5


@dataclass(frozen=True, slots=True)
class Preview:
    """The next times of a schedule, or what is wrong with it."""

    times: tuple[str, ...] = ()
    note: str = ""
    problems: Mapping[str, str] = field(default_factory=dict[str, str])


class WritingPages:
    """The handlers, with what they need."""

    def __init__(self, store: Store, desk: JobDesk, live: Callable[[], Live]) -> None:
        self._store = store
        self._desk = desk
        self._live = live

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/jobs/new")(self.blank)
        pages.post("/jobs/new")(self.create)
        pages.get("/jobs/times")(self.times)
        pages.post("/jobs/preview")(self.preview)
        pages.get("/jobs/<job_id>/edit")(self.edit)
        pages.post("/jobs/<job_id>/edit")(self.save)

    async def blank(self) -> str:
        """The form for a new job."""
        return await self._form({**values_of(self._desk.blank()), "cron": ""}, ())

    async def create(self) -> Response | tuple[str, HTTPStatus]:
        """Make a job, or say what is wrong with it."""
        values, tools = await read_values(), await _tools()
        try:
            return _to(await self._desk.create(read_job(values, tools)))
        except WrongFields as wrong:
            return await self._again(values, tools, wrong)
        except REFUSALS as error:
            return await self._again(values, tools, wrong_field(error))

    async def edit(self, job_id: str) -> str:
        """The form with the job as it is."""
        job = await self._desk.get(job_id)
        return await self._form(values_of(job), job.tools, job_id)

    async def save(self, job_id: str) -> Response | tuple[str, HTTPStatus]:
        """Change a job, or say what is wrong with the change."""
        await self._desk.get(job_id)
        values, tools = await read_values(), await _tools()
        try:
            return _to(await self._desk.change(job_id, read_job(values, tools)))
        except WrongFields as wrong:
            return await self._again(values, tools, wrong, job_id)
        except REFUSALS as error:
            return await self._again(values, tools, wrong_field(error), job_id)

    async def times(self) -> str:
        """The times of a schedule, for a script that asks while it is typed.

        A GET, so that it leaves no entry in the audit log.
        """
        values = {name: str(value) for name, value in request.args.items()}
        preview = await self._previewed(values, values.get("job") or None)
        return await render_template("job_times.html", preview=preview)

    async def preview(self) -> str:
        """The form as it was filled in, with the times of its schedule."""
        values = await read_values()
        job_id = values.get("job") or None
        preview = await self._previewed(values, job_id)
        return await self._form(values, await _tools(), job_id, preview=preview)

    async def _previewed(self, values: Mapping[str, str], job_id: str | None) -> Preview:
        old = await self._desk.get(job_id) if job_id else self._desk.blank()
        try:
            given = read_schedule(values)
            job, times = self._desk.preview(old, given, SHOWN_TIMES)
        except WrongFields as wrong:
            return Preview(problems=wrong.problems)
        except REFUSALS as error:
            return Preview(problems=wrong_field(error).problems)
        return Preview(spoken(times, job.timezone), zone_note(job.timezone, utc_ms()))

    async def _again(
        self,
        values: Mapping[str, Any],
        tools: Sequence[str],
        wrong: WrongFields,
        job_id: str | None = None,
    ) -> tuple[str, HTTPStatus]:
        page = await self._form(values, tools, job_id, problems=wrong.problems)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY

    async def _form(
        self,
        values: Mapping[str, Any],
        tools: Sequence[str],
        job_id: str | None = None,
        *,
        problems: Mapping[str, str] | None = None,
        preview: Preview | None = None,
    ) -> str:
        others = [job for job in await self._store.jobs.all() if job.id != job_id]
        return await render_template(
            "job_form.html",
            job_id=job_id,
            values=values,
            choice_of_tools=tool_choice(self._live(), tools),
            problems=problems or {},
            preview=preview or Preview(),
            zones=sorted(available_timezones()),
            catch_up=CATCH_UP,
            overlap=OVERLAP,
            on_interrupt=ON_INTERRUPT,
            others=(("", "nothing"), *((job.id, job.name) for job in others)),
        )


def _to(told: ToldJob) -> Response:
    return redirect(url_for("jobs.show", job_id=told.job.id), HTTPStatus.SEE_OTHER)


async def _tools() -> list[str]:
    return chosen_names(await read_chosen("tool"), (await read_values()).get("others", ""))
