"""``/servers/new``: a dynamic server from code that is there to begin with."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from quart import Blueprint, Response, make_response, render_template
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.dashboard.forms import read_form
from gateway.server_pages.desk import OWNER, REFUSALS, Desk, outcome_of
from gateway.server_pages.starters import STARTERS
from gateway.servers import Draft
from sandboxes.policy import Network, NetworkMode

MAX_DESCRIPTION = 2000


class CreatingPages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/servers/new")(self.ask_new)
        pages.post("/servers/new")(self.create)

    async def ask_new(self) -> str:
        """Ask for a name and what to begin with."""
        return await _form({}, "")

    async def create(self) -> Response | WerkzeugResponse:
        """Write the server and start it; its code is edited on."""
        form = await read_form()
        name, starter = form.get("name", "").strip(), STARTERS.get(form.get("starter", ""))
        if starter is None:
            return await _again(form, "Choose what the server begins with.")
        hosts = tuple(form.get("hosts", "").split())
        network = Network(NetworkMode.HOSTS, hosts) if hosts else Network(NetworkMode.NONE)
        description = form.get("description", "").strip()[:MAX_DESCRIPTION]
        draft = Draft(starter.code, description=description, network=network)
        try:
            report = await self._desk.servers.create(name, draft, enable=True, author=OWNER)
        except REFUSALS as error:
            return await _again(form, str(error))
        missing = {"Missing credentials": report.missing}
        outcome = outcome_of(report, f"Created, and {report.snapshot.state}.", **missing)
        return self._desk.back("servers.show_code", outcome, name=name)


async def _again(form: Mapping[str, str], problem: str) -> Response:
    response = cast("Response", await make_response(await _form(form, problem)))
    response.status_code = HTTPStatus.BAD_REQUEST
    return response


async def _form(values: Mapping[str, str], problem: str) -> str:
    choices = [(key, starter.word) for key, starter in STARTERS.items()]
    return await render_template(
        "server_new.html", values=values, problem=problem, starters=choices
    )
