"""``/nodes``: which gateways share the database; each can be drained."""

from http import HTTPStatus

from quart import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.dashboard.seen import Seen
from gateway.nodes import NodeDesk, NoSuchNode


class NodePages:
    """The handlers, with what they need."""

    def __init__(self, browser: Browser, desk: NodeDesk, live: Live) -> None:
        self._browser = browser
        self._desk = desk
        self._live = live
        self._seen = Seen("nodes-seen", self._states)

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("nodes", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.record(lambda made: self._seen.register(self._live, made.app.jinja_env))
        pages.get("/nodes")(self.show)
        pages.post("/nodes/<name>/drain")(self.drain)
        pages.post("/nodes/<name>/undrain")(self.undrain)
        return pages

    async def show(self) -> str:
        """Every node."""
        followed = await self._seen.name()
        views = await self._desk.views()
        return await render_template("nodes.html", nodes=views, followed=followed)

    async def _states(self, _: str) -> list[object]:
        """Return how nodes are, without when they were heard: that changes with every beat."""
        views = await self._desk.views()
        return [(each.name, each.state, each.live_runs, each.version) for each in views]

    async def drain(self, name: str) -> Response:
        """Have a node take no more runs."""
        try:
            await self._desk.drain(name)
        except NoSuchNode as error:
            raise NotFound(str(error)) from error
        return redirect(url_for("nodes.show"), HTTPStatus.SEE_OTHER)

    async def undrain(self, name: str) -> Response:
        """Have a node take runs again."""
        try:
            await self._desk.undrain(name)
        except NoSuchNode as error:
            raise NotFound(str(error)) from error
        return redirect(url_for("nodes.show"), HTTPStatus.SEE_OTHER)

    async def _require_session(self) -> None:
        self._browser.require_session()
