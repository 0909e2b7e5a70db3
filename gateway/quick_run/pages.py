"""``/quick-run``: a prompt now, with chosen tools; the page of its run follows."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from quart import Blueprint, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gateway.budgets.defaults import run_defaults
from gateway.dashboard.browser import Browser
from gateway.dashboard.fields import WrongFields, read_chosen, read_values
from gateway.dashboard.tool_choice import chosen_names, tool_choice
from gateway.domain.run import Run, Trigger
from gateway.jobs.quick_runs import QuickRuns
from gateway.quick_run.form import REFUSALS, read_asked, values_of, values_of_new, wrong_field
from gateway.settings import Settings
from gateway.store import Store
from gateway.tool_names import Live

EARLIER = 20
"""Runs whose prompts are offered again."""
SHOWN_CHARS = 120


class QuickRunPages:
    """The handlers, with what they need."""

    def __init__(
        self,
        browser: Browser,
        settings: Settings,
        store: Store,
        quick_runs: QuickRuns,
        live: Callable[[], Live],
    ) -> None:
        """`live` returns the servers with the tools that they show now."""
        self._browser = browser
        self._settings = settings
        self._store = store
        self._quick_runs = quick_runs
        self._live = live

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("quick_run", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.get("/quick-run")(self.show)
        pages.post("/quick-run")(self.start)
        return pages

    async def show(self) -> str:
        """The form: empty, or as an earlier run was asked for."""
        run_id = request.args.get("like")
        if run_id is None:
            return await self._form(values_of_new(run_defaults(self._settings)), ())
        run = await self._store.runs.get(run_id)
        if run is None or run.trigger is not Trigger.QUICK:
            raise NotFound("There is no such quick run any more.")
        return await self._form(values_of(run), run.tools)

    async def start(self) -> Response | tuple[str, HTTPStatus]:
        """Start the run and lead to its page, or say what is wrong with the form."""
        values = await read_values()
        tools = chosen_names(await read_chosen("tool"), values.get("others", ""))
        try:
            started = await self._quick_runs.start(read_asked(values, tools))
        except WrongFields as wrong:
            return await self._again(values, tools, wrong)
        except REFUSALS as error:
            return await self._again(values, tools, wrong_field(error))
        return redirect(f"/runs/{started.run.id}", HTTPStatus.SEE_OTHER)

    async def _again(
        self, values: Mapping[str, Any], tools: Sequence[str], wrong: WrongFields
    ) -> tuple[str, HTTPStatus]:
        return await self._form(values, tools, wrong.problems), HTTPStatus.UNPROCESSABLE_ENTITY

    async def _form(
        self,
        values: Mapping[str, Any],
        tools: Sequence[str],
        problems: Mapping[str, str] | None = None,
    ) -> str:
        earlier = await self._store.runs.of_trigger(Trigger.QUICK, EARLIER)
        return await render_template(
            "quick_run.html",
            values=values,
            choice_of_tools=tool_choice(self._live(), tools),
            problems=problems or {},
            earlier=_prompts(earlier),
        )

    async def _require_session(self) -> None:
        self._browser.require_session()


def _prompts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return ids and beginnings of prompts, each prompt once, the newest first."""
    newest: dict[str, str] = {}
    for run in runs:
        newest.setdefault(run.prompt, run.id)
    return [(run_id, _beginning(prompt)) for prompt, run_id in newest.items()]


def _beginning(prompt: str) -> str:
    text = " ".join(prompt.split())
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
