"""The routes: overview, its stream of changes, approvals, logout."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import cast

from quart import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, Conflict, NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.approvals import Approvals, Decision
from gateway.dashboard.browser import Browser
from gateway.dashboard.forms import read_form
from gateway.dashboard.live import Live, UnknownFragment
from gateway.dashboard.seen import Seen
from gateway.dashboard.server_filter import STATES, read_filter
from gateway.dashboard.sessions import Sessions
from gateway.dashboard.streams import Place
from gateway.dashboard.views import ApprovalRow, approval_rows
from supervisor.errors import NotPending, UnknownServer

SHOWN_STATES = (("", "all"), *((name, name) for name in STATES))
_COMMENT = ": alive\n\n"
_RETRY = "retry: 1000\n\n"
"""Milliseconds until a browser whose stream broke off comes back."""


class Pages:
    """The handlers, with what they need."""

    def __init__(
        self, *, sessions: Sessions, live: Live, browser: Browser, approvals: Approvals
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._browser = browser
        self._approvals = approvals
        self._seen = Seen("approvals-seen", self._waiting)

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("pages", __name__)
        pages.before_request(self._require_session)
        pages.record(lambda made: self._seen.register(self._live, made.app.jinja_env))
        pages.get("/")(self.overview)
        pages.get("/events")(self.events)
        pages.post("/logout")(self.logout)
        pages.get("/approvals")(self.approvals)
        pages.post("/approvals")(self.decide)
        return pages

    async def overview(self) -> str:
        """The whole page, readable without JavaScript."""
        asked = read_filter(request.args)
        return await render_template("overview.html", asked=asked, states=SHOWN_STATES)

    async def events(self) -> Response:
        """What changes of the fragments of one page, as server-sent events."""
        self._browser.require_own_page()
        names = request.args.getlist("live")
        try:
            self._live.check(names)
        except UnknownFragment as error:
            raise NotFound(f"Nothing is followed under the name {str(error)!r}.") from error
        place = self._live.streams.take(self._browser.session_id())
        answer = await make_response(self._stream(place, names))
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
        followed = await self._seen.name()
        return await render_template(
            "approvals.html", rows=await self._waiting(), followed=followed
        )

    async def _waiting(self, _: str = "") -> tuple[ApprovalRow, ...]:
        return approval_rows(self._approvals.all())

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

    async def _stream(self, place: Place, names: Sequence[str]) -> AsyncIterator[str]:
        yield _RETRY
        async with aclosing(self._live.updates(names)) as updates:
            async for patches in updates:
                if not self._sessions.is_open(place.session_id):
                    return
                yield _COMMENT if patches is None else f"event: live\ndata: {patches}\n\n"

    async def _require_session(self) -> None:
        self._browser.require_session()
