"""The routes: overview, its stream of changes, approvals, logout."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import cast

from markupsafe import Markup
from quart import Blueprint, Response, make_response, redirect, render_template, url_for
from werkzeug.exceptions import BadRequest, Conflict
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.approvals import Approvals, Decision
from gateway.dashboard.browser import Browser
from gateway.dashboard.forms import read_form
from gateway.dashboard.live import LiveFragment
from gateway.dashboard.sessions import Sessions
from gateway.dashboard.streams import Place, Streams
from gateway.dashboard.views import approval_rows
from supervisor.errors import NotPending, UnknownServer

_COMMENT = ": alive\n\n"


class Pages:
    """The handlers, with what they need."""

    def __init__(
        self, *, sessions: Sessions, live: LiveFragment, browser: Browser, approvals: Approvals
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._browser = browser
        self._approvals = approvals
        self._streams = Streams()

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("pages", __name__)
        pages.before_request(self._require_session)
        pages.get("/")(self.overview)
        pages.get("/events")(self.events)
        pages.post("/logout")(self.logout)
        pages.get("/approvals")(self.approvals)
        pages.post("/approvals")(self.decide)
        return pages

    async def overview(self) -> str:
        """The whole page, readable without JavaScript."""
        live = Markup(await self._live.newest())  # noqa: S704 - our template, escaping on
        return await render_template("overview.html", live=live)

    async def events(self) -> Response:
        """The tables again whenever they change, as server-sent events."""
        self._browser.require_own_page()
        place = self._streams.take(self._browser.session_id())
        answer = await make_response(self._stream(place))
        response = cast("Response", answer)
        response.content_type = "text/event-stream; charset=utf-8"
        response.timeout = None  # Quart would end the stream after a minute
        return response

    async def logout(self) -> WerkzeugResponse:
        """End the session here and forget the cookie."""
        response = redirect(url_for("login.show"), HTTPStatus.SEE_OTHER)
        await self._browser.forget_session(response)
        return response

    async def approvals(self) -> str:
        """What was approved of each quarantined tool beside what waits."""
        return await render_template("approvals.html", rows=approval_rows(self._approvals.all()))

    async def decide(self) -> WerkzeugResponse:
        """Approve or reject one definition."""
        form = await read_form()
        try:
            decision = Decision(form.get("decision", ""))
        except ValueError as error:
            raise BadRequest("The form says neither approve nor reject.") from error
        server, tool, digest = (form.get(name, "") for name in ("server", "tool", "digest"))
        try:
            self._approvals.decide(server, tool, digest, decision)
        except (UnknownServer, NotPending) as error:
            raise Conflict(str(error)) from error
        return redirect(url_for("pages.approvals"), HTTPStatus.SEE_OTHER)

    async def _stream(self, place: Place) -> AsyncIterator[str]:
        async for text in self._live.updates():
            if not self._sessions.is_open(place.session_id):
                return
            yield _COMMENT if text is None else _event("health", text)

    async def _require_session(self) -> None:
        self._browser.require_session()


def _event(name: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n"
