"""``/access``: sessions, OAuth clients with their grants, machine tokens; each can be ended."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from http import HTTPStatus

from quart import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from gateway.access.rows import client_rows, session_rows, token_rows
from gateway.auth.guard import Guard
from gateway.dashboard import Login
from gateway.dashboard.forms import read_form
from gateway.dashboard.live import Live
from gateway.dashboard.seen import Seen
from gateway.domain.clock import utc_ms
from gateway.oauth.access import ClientsAccess
from gateway.store import TokenTable


class Kind(StrEnum):
    """What a form of the page ends."""

    SESSION = "session"
    EVERYWHERE = "everywhere"
    """Every session, this browser's too."""
    GRANT = "grant"
    CLIENT = "client"
    TOKEN = "token"  # noqa: S105 - a word, not somebody's token


class AccessPage:
    """The handlers, with what they need."""

    def __init__(
        self, login: Login, clients: ClientsAccess, tokens: TokenTable, guard: Guard, live: Live
    ) -> None:
        self._browser = login.browser
        self._sessions = login.sessions
        self._clients = clients
        self._tokens = tokens
        self._guard = guard
        self._live = live
        self._seen = Seen("access-seen", self._who)

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("access", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.record(lambda made: self._seen.register(self._live, made.app.jinja_env))
        pages.get("/access")(self.show)
        pages.post("/access")(self.end)
        return pages

    async def show(self) -> str:
        """Everything that may come in."""
        now, own = utc_ms(), self._sessions.find(self._browser.session_id())
        return await render_template(
            "access.html",
            sessions=session_rows(self._sessions, own),
            clients=client_rows(await self._clients.all()),
            tokens=token_rows(await self._tokens.all(), now),
            followed=await self._seen.name(),
        )

    async def _who(self, _: str) -> tuple[list[object], ...]:
        """Return who may come in, without when they last did: that changes with every request."""
        clients = client_rows(await self._clients.all())
        return (
            [row.id for row in session_rows(self._sessions, None)],
            [(row.id, [grant.id for grant in row.grants]) for row in clients],
            [row.id for row in token_rows(await self._tokens.all(), utc_ms())],
        )

    async def end(self) -> Response:
        """End one thing at once."""
        form = await read_form()
        try:
            kind = Kind(form.get("kind", ""))
        except ValueError as error:
            raise BadRequest("The form does not say what to end.") from error
        if not await self._ends()[kind](form.get("id", "")):
            raise NotFound("It has ended already; load the page again.")
        return redirect(url_for("access.show"), HTTPStatus.SEE_OTHER)

    def _ends(self) -> dict[Kind, Callable[[str], Awaitable[bool]]]:
        return {
            Kind.SESSION: self._sessions.end,
            Kind.EVERYWHERE: self._end_everywhere,
            Kind.GRANT: self._clients.end_grant,
            Kind.CLIENT: self._clients.remove_client,
            Kind.TOKEN: self._end_token,
        }

    async def _end_everywhere(self, _: str) -> bool:
        return await self._sessions.end_all() > 0

    async def _end_token(self, token_id: str) -> bool:
        if not await self._tokens.revoke(token_id, utc_ms()):
            return False
        self._guard.forget(token_id)
        return True

    async def _require_session(self) -> None:
        self._browser.require_session()
