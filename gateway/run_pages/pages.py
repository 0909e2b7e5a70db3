"""``/runs/<id>``: one run, readable as it stands and kept current while it is live."""

from http import HTTPStatus

from quart import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.dashboard.sessions import Sessions
from gateway.domain.clock import utc_ms
from gateway.domain.live import Place
from gateway.domain.run import Run, run_again
from gateway.jobs.errors import RunFinished, RunNotFound
from gateway.jobs.runner import KILLED, Runner
from gateway.run_files.shelf import Shelf
from gateway.run_pages.downloads import download_file
from gateway.run_pages.entries import entries_of
from gateway.run_pages.fragments import ServerSentEvents, rows_of, state_of
from gateway.run_pages.history import RunHistory
from gateway.run_pages.sections import sections_of
from gateway.run_pages.streaming import asked_place, stream_run
from gateway.store import Store
from gateway.tools.run_details import run_detail

PAGE_MESSAGES = 300
"""On one page; a longer transcript has several."""
PAGE_FILES = 400
"""All that two attempts leave at most."""


class RunPages:
    """The handlers, with what they need."""

    def __init__(
        self,
        browser: Browser,
        sessions: Sessions,
        store: Store,
        runner: Runner,
        shelf: Shelf,
        history: RunHistory,
        live: Live,
    ) -> None:
        self._browser = browser
        self._sessions = sessions
        self._store = store
        self._runner = runner
        self._shelf = shelf
        self._history = history
        self._live = live

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("runs", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.record(lambda made: self._history.register(self._live, made.app.jinja_env))
        pages.get("/runs")(self._history.index)
        pages.get("/runs/<run_id>")(self.show)
        pages.get("/runs/<run_id>/events")(self.events)
        pages.get("/runs/<run_id>/files/<int:attempt>/<int:number>")(self.download)
        pages.post("/runs/<run_id>/kill")(self.kill)
        pages.post("/runs/<run_id>/again")(self.again)
        return pages

    async def show(self, run_id: str) -> str:
        """The run as it is now; without JavaScript the page asks to be reloaded."""
        run = await self._run(run_id)
        count = await self._store.runs.count_messages(run_id)
        newest = max(0, count - PAGE_MESSAGES)
        begin = max(0, min(request.args.get("from", newest, type=int), newest))
        found = await self._store.runs.messages(run_id, since=begin, limit=PAGE_MESSAGES)
        after = Place(found[-1].seq + 1 if found else begin)
        return await render_template(
            "run.html",
            run=run,
            state=state_of(run),
            told=sections_of(await run_detail(self._store, run, files=PAGE_FILES)),
            entries=rows_of([entry for each in found for entry in entries_of(each)], {}),
            earlier=max(0, begin - PAGE_MESSAGES) if begin else None,
            later=after.messages if after.messages < count else None,
            events=url_for("runs.events", run_id=run_id, after=str(after)),
        )

    async def events(self, run_id: str) -> Response:
        """What comes after a place, as server-sent events."""
        self._browser.require_own_page()
        number = request.headers.get("Last-Event-ID") or request.args.get("after", "0.0")
        session = self._browser.session_id()
        return await stream_run(
            self._runner.feeds,
            run_id,
            asked_place(number),
            shown=ServerSentEvents(current_app.jinja_env),
            content_type="text/event-stream; charset=utf-8",
            may_read=lambda: self._sessions.is_open(session),
        )

    async def download(self, run_id: str, attempt: int, number: int) -> Response:
        """A file that the run left, for the disk."""
        return await download_file(self._store, self._shelf, run_id, attempt, number)

    async def kill(self, run_id: str) -> WerkzeugResponse:
        """Have the run end, soon."""
        try:
            await self._runner.stop(run_id, KILLED)
        except RunNotFound as error:
            raise NotFound(str(error)) from error
        except RunFinished as error:
            raise Conflict(str(error)) from error
        return redirect(url_for("runs.show", run_id=run_id), HTTPStatus.SEE_OTHER)

    async def again(self, run_id: str) -> WerkzeugResponse:
        """Start another run that is asked the same, with the same tools and limits."""
        run = await self._runner.submit(run_again(await self._run(run_id), utc_ms()))
        return redirect(url_for("runs.show", run_id=run.id), HTTPStatus.SEE_OTHER)

    async def _run(self, run_id: str) -> Run:
        run = await self._store.runs.get(run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id[:50]!r}; the overview has the newest.")
        return run

    async def _require_session(self) -> None:
        self._browser.require_session()
