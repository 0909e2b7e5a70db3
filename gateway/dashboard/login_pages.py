"""``/login``: by user name and password, or by a one-time link. A GET shows, a POST does."""

import logging
import math
from http import HTTPStatus
from typing import cast
from urllib.parse import quote

from quart import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import Forbidden

from gateway.auth.run_tokens import token_hash
from gateway.dashboard.forms import VISITOR, read_form
from gateway.dashboard.known_browsers import KNOWN_LIFE_S
from gateway.dashboard.login import Login
from gateway.dashboard.password import TooManyChecks
from gateway.domain.dashboard_session import Way
from gateway.reach.address import address_block

log = logging.getLogger(__name__)

KNOWN = "claude-runner-known"
WRONG = "The user name or the password is wrong."
LINK_COMMAND = "./claude-runner dashboard link"
OLD_LINK = "This link has been used or is older than ten minutes."


class LoginPages:
    """The handlers, with what they need."""

    def __init__(self, login: Login) -> None:
        self._sessions = login.sessions
        self._browser = login.browser
        self._throttle = login.throttle
        self._known = login.known_browsers

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        pages = Blueprint("login", __name__)
        pages.get("/login")(self.show)
        pages.post("/login")(self.enter)
        return pages

    async def show(self) -> Response:
        """The form, or the button of a one-time link; neither is spent by looking."""
        key = request.args.get("key")
        return await login_page(HTTPStatus.OK, key=key)

    async def enter(self) -> Response:
        """Open a session under a fresh id for whoever shows that he is the owner."""
        if self._browser.is_shut_out():
            raise Forbidden("The dashboard is closed because it has no password.")
        form = await read_form()
        if "key" in form:
            if not self._sessions.links.spend(form["key"]):
                return await login_page(HTTPStatus.UNAUTHORIZED, sentence=OLD_LINK)
            return await self._let_in(Way.LINK, "")
        return await self._by_password(
            form.get("username", ""), form.get("password", ""), form.get("next", "")
        )

    async def _by_password(self, username: str, password: str, leads_to: str) -> Response:
        owner = self._browser.password
        if owner is None:
            raise Forbidden("This gateway has no password; log in by a one-time link.")
        known = self._known.read(self._browser.cookie(KNOWN))
        counted = self._counted_by() if known is None else (f"browser {known}",)
        wait_s = self._throttle.admit(*counted, known=known is not None)
        if wait_s > 0:
            return await _wait_page(wait_s, "Too many wrong logins", leads_to)
        try:
            right = await owner.matches(username, password, known=known is not None)
        except TooManyChecks:
            return await _wait_page(1.0, "Too many logins at once", leads_to)
        if not right:
            log.warning("Wrong login from %s", self._browser.address())
            return await login_page(HTTPStatus.UNAUTHORIZED, sentence=WRONG, leads_to=leads_to)
        self._throttle.succeeded(*counted)
        return await self._let_in(Way.PASSWORD, leads_to)

    def _counted_by(self) -> tuple[str, str]:
        """Return the address and the copy of the page that a stranger's failures count for."""
        page = token_hash(self._browser.cookie(VISITOR))
        return f"address {address_block(self._browser.address())}", f"page {page}"

    async def _let_in(self, way: Way, leads_to: str) -> Response:
        overview = url_for("pages.overview")
        to = leads_to if is_own_path(leads_to) else overview
        response = cast("Response", redirect(to, HTTPStatus.SEE_OTHER))
        # Never the id that the browser came with: somebody else may know that one.
        await self._sessions.close(self._browser.session_id())
        agent = request.headers.get("User-Agent", "")
        value = await self._sessions.open(way, address=self._browser.address(), agent=agent)
        self._browser.keep_session(response, value)
        self._browser.drop_cookie(response, VISITOR)
        if way is Way.PASSWORD:
            self._browser.set_cookie(response, KNOWN, self._known.issue(), life_s=KNOWN_LIFE_S)
        # A window that a client opened for consent comes through here: it stays the client's.
        response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        log.info("The owner logged in by %s from %s", way, self._browser.address())
        return response


async def login_page(
    status: int, *, sentence: str = "", key: str | None = None, leads_to: str | None = None
) -> Response:
    """Return the page on which the owner logs in; where he wanted to go when he came here."""
    if leads_to is None and request.method == "GET" and request.endpoint != "login.show":
        query = request.query_string.decode("latin-1")
        leads_to = quote(request.path) + (f"?{query}" if query else "")
    page = await render_template(
        "login.html", sentence=sentence, key=key, leads_to=leads_to, link_command=LINK_COMMAND
    )
    response = cast("Response", await make_response(page))
    response.status_code = status
    return response


async def _wait_page(wait_s: float, what: str, leads_to: str) -> Response:
    seconds = math.ceil(wait_s)
    sentence = f"{what} from here; try again in {seconds} s."
    response = await login_page(HTTPStatus.TOO_MANY_REQUESTS, sentence=sentence, leads_to=leads_to)
    response.headers["Retry-After"] = str(seconds)
    return response


def is_own_path(text: str) -> bool:
    """True for a path of this gateway, which no browser takes for an address elsewhere."""
    plain = text.isascii() and text.isprintable() and "\\" not in text
    return plain and text.startswith("/") and not text.startswith("//")
