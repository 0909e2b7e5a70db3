"""Quarantined tools of a server, decided on where the server is looked at."""

from quart import Blueprint
from werkzeug.exceptions import BadRequest, Conflict
from werkzeug.wrappers import Response

from gateway.approvals import Approvals, Decision
from gateway.dashboard.forms import read_form
from gateway.server_pages.desk import Desk
from gateway.server_pages.kept import Outcome
from supervisor.errors import NotPending, UnknownServer

DONE = {
    Decision.APPROVE: "is served as it is listed now",
    Decision.REJECT: "stays out until its definition is another one",
}


class DecidingPages:
    """The handler, with what it needs."""

    def __init__(self, desk: Desk, approvals: Approvals) -> None:
        self._desk = desk
        self._approvals = approvals

    def add_to(self, pages: Blueprint) -> None:
        """Add the route."""
        pages.post("/server/<name>/approvals")(self.decide_here)

    async def decide_here(self, name: str) -> Response:
        """Approve or reject the definition that the page showed."""
        self._desk.spec(name)
        form = await read_form()
        try:
            decision = Decision(form.get("decision", ""))
        except ValueError as error:
            raise BadRequest("The form says neither approve nor reject.") from error
        tool = form.get("tool", "")
        try:
            self._approvals.decide(name, tool, form.get("digest", ""), decision)
        except (UnknownServer, NotPending) as error:
            raise Conflict(str(error)) from error
        outcome = Outcome(ok=True, sentence=f"{tool} {DONE[decision]}.")
        return self._desk.back("servers.show_tools", outcome, name=name)
