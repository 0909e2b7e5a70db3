"""``/server/<name>/credentials``: which secrets a server has; values are typed in, never shown."""

from http import HTTPStatus
from typing import cast

from quart import Blueprint, Response, make_response
from werkzeug.exceptions import Conflict
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.credentials import CredentialRefused
from gateway.dashboard.forms import read_form
from gateway.server_pages.desk import REFUSALS, Desk, outcome_of, refused
from gateway.servers.credential_changes import delete_credential, set_credential
from sandboxes.errors import RefusedName


class SecretPages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/server/<name>/credentials")(self.show_credentials)
        pages.post("/server/<name>/credentials")(self.set_credential)
        pages.post("/server/<name>/credentials/delete")(self.delete_credential)

    async def show_credentials(self, name: str) -> str:
        """What it declares and what is set."""
        return await self._desk.page("server_credentials.html", await self._desk.report(name))

    async def set_credential(self, name: str) -> Response | WerkzeugResponse:
        """Store one value and start the server with it."""
        self._desk.spec(name)
        form = await read_form()
        key = form.get("key", "").strip()
        # A browser sends the lines of a text area with CRLF; a key file has LF.
        value = form.get("value", "").replace("\r\n", "\n").strip("\n")
        try:
            report = await set_credential(
                self._desk.servers, self._desk.credentials, name, key, value
            )
        except (CredentialRefused, RefusedName) as error:
            return await self._again(name, key, str(error))
        except REFUSALS as error:
            raise refused(error) from error
        outcome = outcome_of(report, f"{key} is stored. The server is {report.snapshot.state}.")
        return self._desk.back("servers.show_credentials", outcome, name=name)

    async def delete_credential(self, name: str) -> WerkzeugResponse:
        """Delete one value for good."""
        self._desk.spec(name)
        key = (await read_form()).get("key", "")
        try:
            report = await delete_credential(self._desk.servers, self._desk.credentials, name, key)
        except REFUSALS as error:
            raise refused(error) from error
        if report is None:
            raise Conflict(f"Server {name!r} has no credential {key[:60]!r}.")
        outcome = outcome_of(report, f"{key} is deleted. The server is {report.snapshot.state}.")
        return self._desk.back("servers.show_credentials", outcome, name=name)

    async def _again(self, name: str, key: str, problem: str) -> Response:
        """Return the page with what is wrong; the value has to be typed again."""
        report = await self._desk.report(name)
        page = await self._desk.page(
            "server_credentials.html", report, typed_key=key, problem=problem
        )
        response = cast("Response", await make_response(page))
        response.status_code = HTTPStatus.BAD_REQUEST
        return response
