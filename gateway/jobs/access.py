"""Which tools and servers a run may use, and whether they are there. Pure.

An empty tool list of a job or a quick run means the defaults and every tool of its servers; of a
webhook run it means none at all, because strangers write its prompt.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.run import Run, Trigger

ALL = "*"
_MCP = re.compile(r"mcp__(?P<server>[A-Za-z0-9-]+)(?:__(?P<tool>.+))?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Access:
    """What one run was given."""

    built_in: tuple[str, ...] = ()
    """Rules for tools of the CLI itself, such as ``Read`` or ``Bash(git *)``."""
    granted: tuple[tuple[str, str], ...] = ()
    """Pairs of server and tool; the tool ``*`` stands for all of a server."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Servers to connect, in the order in which they were named."""
        return tuple(dict.fromkeys(server for server, _ in self.granted))

    @property
    def tools(self) -> tuple[str, ...]:
        """Every granted MCP tool in full; ``mcp__server__*`` for a whole server."""
        return tuple(f"mcp__{server}__{tool}" for server, tool in self.granted)

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


@dataclass(frozen=True, slots=True)
class ServerReport:
    """A server as the CLI sees it."""

    name: str
    status: str
    tools: tuple[str, ...]
    error: str = ""


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
    pairs = [pair for name in names if (pair := _server_and_tool(name))]
    named = {server for server, _ in pairs} if run.tools else set[str]()
    whole = [(server, ALL) for server in servers if server not in named]
    return Access(
        built_in=tuple(name for name in names if not _server_and_tool(name)),
        granted=tuple(dict.fromkeys([*pairs, *whole])),
    )


def cli_name(server: str, tool: str) -> str:
    """Return the name under which the CLI shows a tool to the model."""
    return f"mcp__{_UNSAFE.sub('_', server)}__{_UNSAFE.sub('_', tool)}"


def problem_with_servers(access: Access, reports: Iterable[ServerReport]) -> str | None:
    """Return one sentence naming the first server or tool that is not there, or None."""
    seen = {report.name: report for report in reports}
    for server in access.servers:
        report = seen.get(server)
        if report is None or report.status != "connected":
            return _not_connected(server, report)
    for server, tool in access.granted:
        offered = {_UNSAFE.sub("_", name) for name in seen[server].tools}
        if tool != ALL and _UNSAFE.sub("_", tool) not in offered:
            return (
                f"Server {server!r} has no tool {tool!r}, which this run needs;"
                f" it has: {', '.join(sorted(seen[server].tools)) or 'none'}."
            )
    return None


def problem_with_tools(
    access: Access, tools: Sequence[str], statuses: Mapping[str, str]
) -> str | None:
    """Return one sentence naming what the CLI's first message lacks, or None."""
    for server in access.servers:
        status = statuses.get(server, "unknown")
        if status != "connected":
            return _not_connected(server, ServerReport(server, status, ()))
    for server, tool in access.granted:
        if tool != ALL and cli_name(server, tool) not in tools:
            return (
                f"Tool {tool!r} of server {server!r}, which this run needs, did not reach the CLI."
            )
    return None


def _not_connected(server: str, report: ServerReport | None) -> str:
    status = report.status if report else "unknown to the CLI"
    detail = f" ({report.error})" if report and report.error else ""
    return (
        f"Server {server!r} is not connected but {status}{detail}, so the run did not start;"
        " repair or disable it, or name the servers that this run needs."
    )


def _server_and_tool(name: str) -> tuple[str, str] | None:
    """Return what an ``mcp__`` name names, or None for a tool of the CLI itself."""
    match = _MCP.fullmatch(name)
    return (match["server"], match["tool"] or ALL) if match else None
