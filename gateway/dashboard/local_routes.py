"""``/local/dashboard/...``: what the command line asks about the dashboard of a live gateway."""

from typing import Any

from quart import Blueprint
from werkzeug.exceptions import NotFound

from gateway.dashboard.sessions import Sessions
from gateway.domain.dashboard_session import DashboardSession

Answer = dict[str, Any]


class LocalDashboard:
    """The handlers, with what they need."""

    def __init__(self, sessions: Sessions, *, everywhere: bool) -> None:
        self._sessions = sessions
        self._everywhere = everywhere

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("local_dashboard", __name__, url_prefix="/local/dashboard")
        routes.post("/links")(self.make_link)
        routes.get("/sessions")(self.list_sessions)
        routes.delete("/sessions")(self.end_sessions)
        routes.delete("/sessions/<session_id>")(self.end_session)
        return routes

    async def make_link(self) -> Answer:
        """The path of a one-time login, and whether it opens more than loopback."""
        path = f"/login?key={self._sessions.links.issue()}"
        return {"path": path, "everywhere": self._everywhere}

    async def list_sessions(self) -> Answer:
        """Every browser in which the owner is logged in."""
        return {"sessions": [self._view(each) for each in self._sessions.all()]}

    async def end_sessions(self) -> Answer:
        """Log out everywhere."""
        return {"ended": await self._sessions.end_all()}

    async def end_session(self, session_id: str) -> Answer:
        """Log one browser out."""
        if not await self._sessions.end(session_id):
            raise NotFound(
                f"There is no session {session_id[:50]!r}; `dashboard sessions` shows the ids."
            )
        return {"ended": 1}

    def _view(self, session: DashboardSession) -> Answer:
        return {
            "id": session.id,
            "way": session.way.value,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            "last_used_at": self._sessions.last_used_at(session),
            "address": session.address,
            "agent": session.agent,
        }
