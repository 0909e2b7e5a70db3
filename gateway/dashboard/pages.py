"""The routes: overview, its stream of changes, login by link, logout."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import cast

from markupsafe import Markup
from quart import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, Conflict, ServiceUnavailable, Unauthorized
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.approvals import Approvals, Decision
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import LiveFragment
from gateway.dashboard.sessions import Sessions
from gateway.dashboard.views import approval_rows
from supervisor.errors import NotPending, UnknownServer

MAX_STREAMS = 100
"""Open tabs; each holds a connection."""
PUBLIC_ENDPOINTS = frozenset({"pages.login"})

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
        self._streams = 0

    def blueprint(self) -> Blueprint:
        """Return the routes; all but the login want a session."""
        pages = Blueprint("pages", __name__)
        pages.before_request(self._require_session)
        pages.get("/")(self.overview)
        pages.get("/events")(self.events)
        pages.get("/login")(self.login)
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
        if self._streams >= MAX_STREAMS:
            raise ServiceUnavailable("Too many open tabs; close some and reload.")
        answer = await make_response(self._stream(self._browser.session_id()))
        response = cast("Response", answer)
        response.content_type = "text/event-stream; charset=utf-8"
        response.timeout = None  # Quart would end the stream after a minute
        return response

    async def login(self) -> WerkzeugResponse:
        """Spend a one-time key and open a session under a fresh id."""
        session_id = self._sessions.open(request.args.get("key", ""))
        if session_id is None:
            raise Unauthorized("This link has been used or is older than ten minutes.")
        response = redirect(url_for("pages.overview"), HTTPStatus.SEE_OTHER)
        self._browser.keep(response, session_id)
        return response

    async def logout(self) -> WerkzeugResponse:
        """End the session here and forget the cookie."""
        self._browser.require_same_origin()
        response = redirect(url_for("pages.overview"), HTTPStatus.SEE_OTHER)
        self._browser.forget(response)
        return response

    async def approvals(self) -> str:
        """What was approved of each quarantined tool beside what waits."""
        return await render_template("approvals.html", rows=approval_rows(self._approvals.all()))

    async def decide(self) -> WerkzeugResponse:
        """Approve or reject one definition."""
        self._browser.require_same_origin()
        form = cast("Mapping[str, str]", await request.form)  # pyright: ignore[reportUnknownMemberType] - Quart leaves the dictionary's types open
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

    async def _stream(self, session_id: str) -> AsyncIterator[str]:
        self._streams += 1
        try:
            async for text in self._live.updates():
                if not self._sessions.is_open(session_id):
                    return
                yield _COMMENT if text is None else _event("health", text)
        finally:
            self._streams -= 1

    async def _require_session(self) -> None:
        if request.endpoint in PUBLIC_ENDPOINTS:
            return
        if not self._browser.is_logged_in():
            raise Unauthorized("This page needs a login link.")


def _event(name: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n"
