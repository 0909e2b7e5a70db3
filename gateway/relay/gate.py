"""What a run gets of the live servers: an HTTP entry for each, with the run's own token."""

from collections.abc import Iterable

from gateway.auth.caller import CallerKind
from gateway.auth.guard import Guard
from gateway.combined.endpoint import CombinedEndpoint
from gateway.jobs.gate import Offer
from gateway.relay.endpoint import ServerEndpoint
from gateway.relay.http import Headers, Receive, Scope, Send, send_body
from gateway.server_entries import McpHttpEntry, server_entries
from supervisor.events import ServerState
from supervisor.pinning.definitions import digest_of
from supervisor.supervisor import Supervisor


class LiveServers:
    """The supervisor's children as entries of the CLI's MCP configuration, and behind them."""

    def __init__(
        self,
        supervisor: Supervisor,
        relay: ServerEndpoint,
        combined: CombinedEndpoint,
        guard: Guard,
    ) -> None:
        self._supervisor = supervisor
        self._relay = relay
        self._combined = combined
        self._guard = guard

    def enabled_servers(self) -> tuple[str, ...]:
        """Return the names of all servers that are switched on."""
        snapshots = self._supervisor.snapshots()
        return tuple(s.name for s in snapshots if s.state is not ServerState.DISABLED)

    def offer(self, server: str) -> Offer:
        """Return a server with the tools that its last good child listed.

        Raises:
            UnknownServer.
        """
        seen = self._supervisor.snapshot(server)
        tools = {tool["name"]: digest_of(tool) for tool in seen.tools}
        return Offer(server, seen.generation, seen.digest, tools)

    def check_tools(self, tools: Iterable[tuple[str, str]]) -> None:
        """Accept tools that a run names.

        Raises:
            UnknownServer, ToolWithheld: one of them is not served.
        """
        for server, tool in tools:
            refusal = self._supervisor.slot(server).pins.refusal(tool)
            if refusal is not None:
                raise refusal

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a run's request to ``/servers/<name>/mcp`` or ``/mcp/all``, and no other."""
        caller = await self._guard.caller(Headers.of(scope).get(b"authorization"))
        match tuple(part for part in scope["path"].split("/") if part):
            case ("servers", server, "mcp") if caller and caller.kind is CallerKind.RUN:
                await self._relay.handle(scope, receive, send, server=server, caller=caller)
            case ("mcp", "all") if caller and caller.kind is CallerKind.RUN:
                await self._combined.handle(scope, receive, send, caller=caller)
            case ("servers", _, "mcp") | ("mcp", "all"):
                await send_body(send, 401, headers={b"www-authenticate": b"Bearer"})
            case _:
                await send_body(send, 404)

    async def ready(self, servers: tuple[str, ...]) -> None:
        """Return once all can be called.

        Raises:
            UnknownServer, ServerUnavailable: one of them cannot, and why.
        """
        for name in servers:
            slot = self._supervisor.slot(name)
            if slot.current is None:
                await slot.child_for_call()

    def entries(
        self, servers: tuple[str, ...], token: str, base_url: str
    ) -> dict[str, McpHttpEntry]:
        """Return an entry for each server."""
        return server_entries(servers, base_url=base_url, token=token)
