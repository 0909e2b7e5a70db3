"""``/nodes``: which gateways share the database; each can be drained."""

from http import HTTPStatus

from quart import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gateway.dashboard.browser import Browser
from gateway.nodes import NodeDesk, NoSuchNode


class NodePages:
    """The handlers, with what they need."""

    def __init__(self, browser: Browser, desk: NodeDesk) -> None:
        self._browser = browser
        self._desk = desk

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("nodes", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.get("/nodes")(self.show)
        pages.post("/nodes/<name>/drain")(self.drain)
        pages.post("/nodes/<name>/undrain")(self.undrain)
        return pages

    async def show(self) -> str:
        """Every node."""
        return await render_template("nodes.html", nodes=await self._desk.views())

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
