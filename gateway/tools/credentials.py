"""Tools for credentials: secrets that servers need, set by key and never shown."""

from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.credential_requests.links import PATH
from gateway.domain.units import iso, shown
from gateway.servers import ServerReport
from gateway.servers.credential_changes import (
    delete_credential,
    delete_left_credential,
    set_credential,
)
from gateway.servers.report import undeclared_statuses
from gateway.tools.arguments import CredentialKey, ServerName
from gateway.tools.authors import author
from gateway.tools.hints import ADD, CHANGE, READ
from gateway.tools.sentences import Refused
from gateway.tools.server_views import (
    CredentialAnswer,
    CredentialList,
    CredentialRequestAnswer,
    UnconfiguredList,
    UnconfiguredServer,
    view_credentials,
    view_server,
)
from gateway.tools.services import Services
from sandboxes.environment import check_name
from supervisor.spec import ServerKind


class CredentialTools:
    """request, set, get, list required, list unconfigured, delete."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Ask the owner for a credential", annotations=ADD)
    async def request_credential(
        self, server: ServerName, key: CredentialKey
    ) -> CredentialRequestAnswer:
        """Make a one-time link where the owner types a secret, so that it is in no chat.

        Give the link to the person. It works once, for half an hour, in a browser that is logged
        in to the dashboard. get_server_credentials shows when the value was set.
        """
        check_name(key)
        spec = self._services.servers.spec(server)
        asked = self._services.credential_links.ask(server, key, asked_by=author())
        declared = any(want.key == key for want in spec.credentials)
        unused = "" if declared else f" {server!r} does not declare {key} yet."
        return CredentialRequestAnswer(
            message=f"Open the link, log in, and type {key} of server {server!r} there.{unused}",
            server=server,
            key=key,
            link=f"{self._services.address()}{PATH}/{asked.id}",
            expires_at=iso(asked.ends_at),
        )

    @tool(title="Set a server's credential", annotations=CHANGE)
    async def set_server_credential(
        self,
        server: ServerName,
        key: CredentialKey,
        value: Annotated[str, Field(description="The secret; stored encrypted, never shown.")],
    ) -> CredentialAnswer:
        """Store a secret for one server and start the server with it.

        The value stays in this conversation; request_credential has the person type it elsewhere.
        The server finds it as an environment variable, if it declares the key. No other server and
        no run ever sees it.
        """
        services = self._services
        report = await set_credential(services.servers, services.credentials, server, key, value)
        declared = any(want.key == key for want in report.spec.credentials)
        unused = "" if declared else f" It is not used yet: {server!r} does not declare {key}."
        return _answer(report, f"{key} of server {server!r} is set.{unused}")

    @tool(title="Show a server's credentials", annotations=READ)
    async def get_server_credentials(self, server: ServerName) -> CredentialList:
        """Show which credentials a server declares and has, with masked values.

        Of a server that is gone: the ones that are still stored under its name.
        """
        return CredentialList(
            server, view_credentials(await self._services.servers.credentials(server))
        )

    @tool(title="List a server's required credentials", annotations=READ)
    async def list_required_credentials(self, server: ServerName) -> CredentialList:
        """List the credentials that a server cannot start without, and whether they are set."""
        statuses = await self._services.servers.credentials(server)
        return CredentialList(
            server, view_credentials(tuple(status for status in statuses if status.required))
        )

    @tool(title="List servers that need credentials", annotations=READ)
    async def get_unconfigured_servers(self) -> UnconfiguredList:
        """List the servers that cannot start until a credential is set, with what they wait for."""
        servers = self._services.servers
        reports = [report for kind in ServerKind for report in await servers.reports(kind)]
        return UnconfiguredList([_unconfigured(report) for report in reports if report.missing])

    @tool(title="Delete a server's credential", annotations=CHANGE)
    async def delete_server_credential(
        self, server: ServerName, key: CredentialKey
    ) -> CredentialAnswer:
        """Delete one stored secret for good; the server is restarted without it."""
        services = self._services
        if await delete_left_credential(services.servers, services.credentials, server, key):
            left = view_credentials(undeclared_statuses(await services.credentials.masked(server)))
            done = f"{key} of server {server!r}, which is not there any more, is deleted."
            return CredentialAnswer(done, None, left)
        report = await delete_credential(services.servers, services.credentials, server, key)
        if report is None:
            raise Refused(f"Server {server!r} has no credential {shown(key)}.")
        return _answer(report, f"{key} of server {server!r} is deleted.")


def _answer(report: ServerReport, done: str) -> CredentialAnswer:
    state = f"The server is {report.snapshot.state}."
    after = report.failure.sentence if report.failure else state
    return CredentialAnswer(
        message=f"{done} {after}",
        server=view_server(report),
        credentials=view_credentials(report.credentials),
    )


def _unconfigured(report: ServerReport) -> UnconfiguredServer:
    missing = tuple(status for status in report.credentials if status.missing)
    return UnconfiguredServer(report.spec.name, view_credentials(missing))
