"""The browser behind a request: its session, its cookie, and whether one of our pages sent it."""

from quart import request
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from gateway.auth.origins import Origins
from gateway.dashboard.sessions import SESSION_LIFE_S, Sessions

COOKIE = "claude-runner"


class Browser:
    """Asks the current request."""

    def __init__(self, sessions: Sessions, origins: Origins) -> None:
        self._sessions = sessions
        self._origins = origins

    def is_logged_in(self) -> bool:
        """True when the owner logged in with this browser."""
        return self._sessions.is_open(self.session_id())

    def session_id(self) -> str:
        """Return the session's id; empty without one."""
        return request.cookies.get(self._cookie_name(), "")

    def base(self) -> str:
        """Return the address under which this browser reaches the gateway."""
        return self._origins.base_of(request.scheme, request.host)

    def require_same_origin(self) -> None:
        """Raise Forbidden unless the browser says that one of our own pages sent this form."""
        if request.headers.get("Sec-Fetch-Site") not in ("same-origin", None):
            raise Forbidden("This form must be sent from the dashboard itself.")
        origin = request.headers.get("Origin", "")
        if not self._origins.may_come_from(origin, request.host):
            raise Forbidden("This form must be sent from the dashboard itself.")

    def keep(self, response: Response, session_id: str) -> None:
        """Have the browser keep a session."""
        response.set_cookie(
            self._cookie_name(),
            session_id,
            max_age=int(SESSION_LIFE_S),
            secure=self._https(),
            httponly=True,
            # Not Strict: claude.ai sends the owner here to consent. What changes anything is a
            # POST, which carries the cookie only from our own pages.
            samesite="Lax",
            path="/",
        )

    def forget(self, response: Response) -> None:
        """End this browser's session, on the server and in its cookie."""
        self._sessions.close(self.session_id())
        response.delete_cookie(self._cookie_name(), path="/", secure=self._https(), httponly=True)

    def _cookie_name(self) -> str:
        # The prefix makes a browser refuse the cookie unless it is Secure and bound to this host.
        return f"__Host-{COOKIE}" if self._https() else COOKIE

    def _https(self) -> bool:
        return self._origins.is_https(request.scheme, request.host)
