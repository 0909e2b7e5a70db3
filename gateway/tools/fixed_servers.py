"""Tools for fixed servers: those that this machine's owner has installed."""

from fastmcp.tools import tool

from gateway.tools.arguments import ServerName
from gateway.tools.hints import READ, SWITCH
from gateway.tools.server_views import ServerAnswer, ServerList, view_change, view_server
from gateway.tools.services import Services
from supervisor.spec import ServerKind


class FixedServerTools:
    """list, enable, disable."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="List fixed MCP servers", annotations=READ)
    async def list_fixed_mcp_servers(self) -> ServerList:
        """List the servers that came with this machine: state, tools, missing credentials.

        Look here before writing a new server: the tool may exist already.
        """
        reports = await self._services.servers.reports(ServerKind.FIXED)
        return ServerList(
            [view_server(report) for report in reports], list(self._services.servers.disk.problems)
        )

    @tool(title="Enable a fixed server", annotations=SWITCH)
    async def enable_fixed_server(self, name: ServerName) -> ServerAnswer:
        """Start a fixed server and keep it running, also after a restart of the gateway."""
        report = await self._services.servers.enable(name, ServerKind.FIXED)
        return view_change(report, f"Server {name!r} is enabled and {report.snapshot.state}.")

    @tool(title="Disable a fixed server", annotations=SWITCH)
    async def disable_fixed_server(self, name: ServerName) -> ServerAnswer:
        """Stop a fixed server and keep it stopped; its data and credentials stay."""
        report = await self._services.servers.disable(name, ServerKind.FIXED)
        return view_change(report, f"Server {name!r} is disabled.")
