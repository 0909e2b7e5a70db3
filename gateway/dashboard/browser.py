"""The browser behind a request: its session, its cookies, where it is."""

import ipaddress

from quart import request
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.sansio.response import Response

from gateway.auth.origins import LOOPBACK, Origins
from gateway.dashboard.password import OwnersPassword
from gateway.dashboard.sessions import SESSION_LIFE_S, Sessions
from gateway.reach.address import client_address

SESSION = "claude-runner"
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")
"""Whoever sends one of these stands between us and a browser that may be anywhere."""


class Browser:
    """Asks the current request."""

    def __init__(
        self, sessions: Sessions, origins: Origins, password: OwnersPassword | None = None
    ) -> None:
        self._sessions = sessions
        self._origins = origins
        self.password = password
        """None: nobody can log in by password."""

    def is_logged_in(self) -> bool:
        """True when the owner logged in with this browser."""
        return self._sessions.is_open(self.session_id()) and not self.is_shut_out()

    def is_shut_out(self) -> bool:
        """True where the dashboard is closed: without a password everywhere but on loopback."""
        return self.password is None and not self._is_direct_loopback()

    def require_session(self) -> None:
        """Note the use of the session. Raises Unauthorized without one."""
        if not self.is_logged_in():
            raise Unauthorized("This page is for the owner of this gateway.")
        self._sessions.note_use(self.session_id())

    def session_id(self) -> str:
        """Return the value of the session's cookie; empty without one."""
        return self.cookie(SESSION)

    def is_open(self, session_id: str) -> bool:
        """True while a session goes on by which a stream was begun."""
        return self._sessions.is_open(session_id)

    def base(self) -> str:
        """Return the address under which this browser reaches the gateway."""
        return self._origins.base_of(request.scheme, request.host)

    def address(self) -> str:
        """Return the address that the request came from."""
        return client_address(request.scope)

    def require_own_page(self) -> None:
        """Raise Forbidden when the browser says that a page of another site sent this request."""
        origin = request.headers.get("Origin")
        foreign = origin is not None and not self._origins.may_come_from(origin, request.host)
        if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise Forbidden("This must be sent from the dashboard itself.")

    def keep_session(self, response: Response, value: str) -> None:
        """Have the browser keep a session."""
        self.set_cookie(response, SESSION, value, life_s=SESSION_LIFE_S)

    async def forget_session(self, response: Response) -> None:
        """End this browser's session, on the server and in its cookie. Raises StoreError."""
        self.drop_cookie(response, SESSION)
        await self._sessions.close(self.session_id())

    def cookie(self, name: str) -> str:
        """Return the value of one of our cookies; empty without one."""
        return request.cookies.get(self._full_name(name), "")

    def set_cookie(
        self, response: Response, name: str, value: str, *, life_s: int | None = None
    ) -> None:
        """Have the browser keep a value; without a life until the browser ends."""
        response.set_cookie(
            self._full_name(name),
            value,
            max_age=life_s,
            secure=self._https(),
            httponly=True,
            # Not Strict: claude.ai sends the owner here to consent. What changes anything is a
            # POST, which carries the cookie only from our own pages.
            samesite="Lax",
            path="/",
        )

    def drop_cookie(self, response: Response, name: str) -> None:
        """Have the browser forget a value."""
        full_name = self._full_name(name)
        response.delete_cookie(full_name, path="/", secure=self._https(), httponly=True)

    def _full_name(self, name: str) -> str:
        # The prefix makes a browser refuse the cookie unless it is Secure and bound to this host.
        return f"__Host-{name}" if self._https() else name

    def _https(self) -> bool:
        return self._origins.is_https(request.scheme, request.host)

    def _is_direct_loopback(self) -> bool:
        """True when browser and name are this machine's, and nobody stands between."""
        if any(name in request.headers for name in FORWARDED):
            return False
        name = request.host.rpartition(":")[0] or request.host
        return _is_loopback(self.address()) and name.strip("[]").lower() in LOOPBACK


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
