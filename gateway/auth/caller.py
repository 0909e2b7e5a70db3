"""Who is calling: what a bearer token was found to stand for."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.token import Scope


class CallerKind(StrEnum):
    """Where a bearer token comes from."""

    LOCAL = "local"
    """The command line of this machine's owner."""
    TOKEN = "token"
    """Made by the owner, kept as a hash in the store."""
    RUN = "run"
    """Made for one run, gone with it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. None in `servers` or `tools` means all of them."""

    kind: CallerKind
    id: str
    scopes: frozenset[Scope]
    servers: frozenset[str] | None = None
    tools: frozenset[str] | None = None
    """Full tool names, `mcp__server__tool`."""

    def may_use(self, server: str) -> bool:
        """True when the caller may open this server at all."""
        return self.servers is None or server in self.servers

    def may_call(self, server: str, tool: str) -> bool:
        """True when the caller may call this tool."""
        return self.tools is None or f"mcp__{server}__{tool}" in self.tools
