"""What a run needs of the gateway's MCP servers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.relay.http import Receive, Scope, Send
from gateway.server_entries import McpHttpEntry


@dataclass(frozen=True, slots=True)
class Offer:
    """A server with what it offers, at one instant."""

    server: str
    generation: int
    code: str
    """Digest of its folder."""
    tools: Mapping[str, str]
    """SHA-256 of each definition under the server's own name of the tool."""


class ServerGate(Protocol):
    """The way to live servers: the supervisor's children in the gateway, a fake in tests."""

    def enabled_servers(self) -> tuple[str, ...]:
        """Return the names of all enabled servers."""
        ...

    def offer(self, server: str) -> Offer:
        """Return what the server is and shows now. Raises SupervisorError for an unknown one."""
        ...

    def check_tools(self, tools: Iterable[tuple[str, str]]) -> None:
        """Accept pairs of server and tool that a run names, once its servers can be called.

        Raises SupervisorError with one sentence when one of them is quarantined.
        """
        ...

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a run's request to ``/servers/<name>/mcp``; an ASGI application."""
        ...

    async def ready(self, servers: tuple[str, ...]) -> None:
        """Return once each of `servers` takes calls.

        Raises SupervisorError with one sentence when one of them cannot.
        """
        ...

    def entries(
        self, servers: tuple[str, ...], token: str, base_url: str
    ) -> dict[str, McpHttpEntry]:
        """Return where below `base_url` each of `servers` answers to `token`."""
        ...
