"""Which tools and servers a run may use. Pure.

An empty tool list of a job or a quick run means the defaults and every tool of its servers; of a
webhook run it means none at all, because strangers write its prompt.
"""

import re
from dataclasses import dataclass

from gateway.domain.run import Run, Trigger
from gateway.domain.view import split_name
from gateway.server_entries import COMBINED_NAME

ALL = "*"
_MCP = re.compile(r"mcp__(?P<server>.*?)(?:__(?P<tool>.+))?", re.DOTALL)
"""Whatever begins like this names a server: none of the CLI's own tools does."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one run was given."""

    built_in: tuple[str, ...] = ()
    """Rules for tools of the CLI itself, such as ``Read`` or ``Bash(git *)``."""
    granted: tuple[tuple[str, str], ...] = ()
    """Pairs of server and tool; the tool ``*`` stands for all of a server."""
    own_names: tuple[tuple[tuple[str, str], str], ...] = ()
    """Granted tools that the run knows by another name; it gets those from the entry for all."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Servers to connect, in the order in which they were named."""
        return tuple(dict.fromkeys(server for server, _ in self.granted))

    @property
    def tools(self) -> tuple[str, ...]:
        """Every granted MCP tool in full; ``mcp__server__*`` for a whole server."""
        return tuple(_full(*pair) for pair in self.granted)

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """The full name and the own name of each tool that has one."""
        return tuple((_full(*pair), own) for pair, own in self.own_names)

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """What is granted as the CLI has it: pairs of an entry of its configuration and a tool."""
        own = dict(self.own_names)
        return tuple((COMBINED_NAME, own[pair]) if pair in own else pair for pair in self.granted)

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries of the CLI's configuration: servers, or the one for all."""
        return tuple(dict.fromkeys(entry for entry, _ in self.shown))

    def allows(self, server: str, tool: str) -> bool:
        """Tell whether the run may call `tool` of `server`."""
        return not {(server, ALL), (server, tool)}.isdisjoint(self.granted)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What runs that name nothing get."""

    tools: tuple[str, ...]
    servers: tuple[str, ...]
    """Empty: all enabled servers."""
    enabled: tuple[str, ...]


def plan_access(run: Run, defaults: Defaults) -> Access:
    """Return what `run` may use.

    A run that names tools gets exactly those, and of a server that it names beside them without
    naming a tool, all; a webhook run gets nothing but the tools it names.
    """
    webhook = run.trigger is Trigger.WEBHOOK
    if webhook:
        names, servers = run.tools, ()
    elif run.tools:
        names, servers = run.tools, run.servers
    else:
        names = defaults.tools
        servers = run.servers or defaults.servers or defaults.enabled
    split = [split_name(name) for name in names]
    pairs = [pair for name, _ in split if (pair := _server_and_tool(name))]
    named = {server for server, _ in pairs} if run.tools else set[str]()
    whole = [(server, ALL) for server in servers if server not in named]
    return Access(
        built_in=tuple(name for name in names if not _server_and_tool(name)),
        granted=tuple(dict.fromkeys([*pairs, *whole])),
        own_names=tuple(
            (pair, own) for name, own in split if own and (pair := _server_and_tool(name))
        ),
    )


def _full(server: str, tool: str) -> str:
    return f"mcp__{server}__{tool}"


def _server_and_tool(name: str) -> tuple[str, str] | None:
    """Return what an ``mcp__`` name names, or None for a tool of the CLI itself."""
    match = _MCP.fullmatch(name)
    return (match["server"], match["tool"] or ALL) if match else None
