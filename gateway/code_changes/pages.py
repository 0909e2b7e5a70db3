"""``/changes``: new code that waits, as the owner sees it in a browser and decides."""

from datetime import UTC, datetime
from typing import cast

from quart import Blueprint, Response, make_response, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, NotFound

from gateway.approvals.approvals import Decision
from gateway.code_changes.routes import OwnersWord, decide_change
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.dashboard.seen import Seen
from gateway.servers import Servers
from gateway.servers.difference import nothing_hidden
from gateway.servers.held import WaitingChange
from supervisor.errors import SupervisorError

UNSEEN = "This is not what your page showed, or not all of it. Look again before you approve."


class ChangePages:
    """The handlers, with what they need."""

    def __init__(self, browser: Browser, servers: Servers, live: Live) -> None:
        self._browser = browser
        self._servers = servers
        self._live = live
        self._seen = Seen("changes-seen", self._waiting)

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        pages = Blueprint("code_changes", __name__, template_folder="templates")
        pages.record(lambda made: self._seen.register(self._live, made.app.jinja_env))
        pages.get("/changes")(self.show)
        pages.get("/changes/<server>/<int:number>")(self.show_whole)
        pages.post("/changes")(self.decide)
        return pages

    async def show(self) -> Response:
        """Show what waits."""
        self._browser.require_session()
        followed = await self._seen.name()
        return await _page("changes.html", rows=await self._waiting(), followed=followed)

    async def _waiting(self, _: str = "") -> list[dict[str, object]]:
        return [_row(each) for each in await self._servers.held.all()]

    async def show_whole(self, server: str, number: int) -> Response:
        """Show one that waits, however long it is."""
        self._browser.require_session()
        return await _page("changes.html", rows=[_row(await self._whole(server, number))])

    async def decide(self) -> Response:
        """Take the owner's word on one version; approved is what a page has shown whole."""
        self._browser.require_session()
        form = cast("MultiDict[str, str]", await request.form)  # pyright: ignore[reportUnknownMemberType]
        try:
            decision = Decision(form.get("decision", ""))
            word = OwnersWord(form.get("server", ""), int(form.get("version", "")), decision)
        except ValueError as error:
            raise BadRequest("This form is not one of this page.") from error
        if decision is Decision.APPROVE:
            waiting = await self._whole(word.server, word.version)
            if form.get("shown") != waiting.digest:
                return await _page("changes.html", rows=[_row(waiting)], problem=UNSEEN)
        sentence = await decide_change(self._servers, word)
        return await _page("message.html", title="Code changes", sentence=sentence)

    async def _whole(self, server: str, number: int) -> WaitingChange:
        try:
            return await self._servers.held.whole(server, number)
        except SupervisorError as error:
            raise NotFound(str(error)) from error


def _row(waiting: WaitingChange) -> dict[str, object]:
    version = waiting.version
    made_at = datetime.fromtimestamp(version.made_at / 1000, UTC)
    return {
        "server": version.server,
        "number": version.number,
        "author": version.author,
        "made_at": f"{made_at:%Y-%m-%d %H:%M} UTC",
        "difference": nothing_hidden(waiting.difference),
        "digest": waiting.digest if waiting.is_whole else None,
        "shown": f"{len(waiting.difference):,}",
        "characters": f"{waiting.characters:,}",
    }


async def _page(template: str, **shown: object) -> Response:
    return cast("Response", await make_response(await render_template(template, **shown)))
