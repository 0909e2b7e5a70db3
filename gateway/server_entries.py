"""Where a client reaches servers of this gateway and as whom: for runs and for people's clients.

The only place that knows how such an entry is made.
"""

from collections.abc import Iterable
from typing import TypedDict

COMBINED_NAME = "claude-runner"
"""Of the entry for all servers at once."""


class McpHttpEntry(TypedDict):
    """One server in a client's MCP configuration."""

    type: str
    """Always ``http``."""
    url: str
    headers: dict[str, str]


def server_entries(servers: Iterable[str], *, base_url: str, token: str) -> dict[str, McpHttpEntry]:
    """Return an entry for each server, under its name, so that tools are `mcp__server__tool`."""
    return {name: _entry(f"{base_url}/servers/{name}/mcp", token) for name in servers}


def combined_entry(*, base_url: str, token: str) -> dict[str, McpHttpEntry]:
    """Return the one entry for all servers that the token shows."""
    return {COMBINED_NAME: _entry(f"{base_url}/mcp/all", token)}


def _entry(url: str, token: str) -> McpHttpEntry:
    return McpHttpEntry(type="http", url=url, headers={"Authorization": f"Bearer {token}"})
