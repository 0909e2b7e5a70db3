"""What a run gets of the live servers: an HTTP entry for each, with the run's own token."""

from gateway.jobs.gate import McpHttpEntry
from supervisor.events import ServerState
from supervisor.supervisor import Supervisor


class LiveServers:
    """The supervisor's children as entries of the CLI's MCP configuration."""

    def __init__(self, supervisor: Supervisor, base_url: str) -> None:
        self._supervisor = supervisor
        self._base_url = base_url

    def enabled_servers(self) -> tuple[str, ...]:
        """Return the names of all servers that are switched on."""
        snapshots = self._supervisor.snapshots()
        return tuple(s.name for s in snapshots if s.state is not ServerState.DISABLED)

    def tool_names(self, server: str) -> tuple[str, ...]:
        """Return the tools that a server's last good child listed.

        Raises:
            UnknownServer.
        """
        return tuple(tool["name"] for tool in self._supervisor.snapshot(server).tools)

    async def entries(self, servers: tuple[str, ...], token: str) -> dict[str, McpHttpEntry]:
        """Return an entry for each server once all can be called.

        Raises:
            UnknownServer, ServerUnavailable: one of them cannot, and why.
        """
        for name in servers:
            slot = self._supervisor.slot(name)
            if slot.current is None:
                await slot.child_for_call()
        return {name: self._entry(name, token) for name in servers}

    def _entry(self, server: str, token: str) -> McpHttpEntry:
        return McpHttpEntry(
            type="http",
            url=f"{self._base_url}/servers/{server}/mcp",
            headers={"Authorization": f"Bearer {token}"},
        )
