"""Whether the tools that a run was granted are really there, said in one sentence. Pure.

Looked at three times: among what the servers list, before anything is started; among what the CLI
has connected; and in the CLI's first message. No request reaches the model before the third.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from gateway.jobs.access import ALL, Access

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
SHOWN_TOOLS = 20
"""Of a server's tools in a sentence."""
_NOW_CALLED: Mapping[str, str] = {
    "Agent": "Task",
    "BashOutput": "TaskOutput",
    "KillShell": "TaskStop",
}
"""Names that the CLI understands, and what it lists instead [CLI 2.1.330]."""


@dataclass(frozen=True, slots=True)
class ServerReport:
    """A server as the CLI sees it."""

    name: str
    status: str
    tools: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """What the CLI says it has when it begins."""

    servers: Mapping[str, str]
    """The status of each."""
    tools: tuple[str, ...]
    model: str
    version: str
    """Of the CLI."""

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Return the message of this content."""
        return cls(
            {server["name"]: server["status"] for server in data["mcp_servers"]},
            tuple(data["tools"]),
            data["model"],
            data["claude_code_version"],
        )


def cli_name(server: str, tool: str) -> str:
    """Return the name under which the CLI shows a tool to the model."""
    return f"mcp__{_safe(server)}__{_safe(tool)}"


def problem_with_offer(access: Access, offered: Mapping[str, Collection[str]]) -> str | None:
    """Return one sentence naming the first granted tool that its server does not list, or None."""
    return _not_offered(access.granted, offered)


def _not_offered(
    granted: Iterable[tuple[str, str]], offered: Mapping[str, Collection[str]]
) -> str | None:
    for server, tool in granted:
        if tool != ALL and _safe(tool) not in map(_safe, offered[server]):
            has = sorted(offered[server])
            more = f" and {len(has) - SHOWN_TOOLS} more" if len(has) > SHOWN_TOOLS else ""
            return (
                f"Server {server!r} has no tool {tool!r}, which this run needs;"
                f" it has: {', '.join(has[:SHOWN_TOOLS]) or 'none'}{more}."
            )
    return None


def problem_with_servers(access: Access, reports: Iterable[ServerReport]) -> str | None:
    """Return one sentence naming the first server or tool that the CLI lacks, or None."""
    seen = {report.name: report for report in reports}
    lacking = [name for name in access.entries if _status(seen.get(name)) != "connected"]
    if lacking:
        # What has failed is worth more words than what was not waited for.
        lacking.sort(key=lambda name: _status(seen.get(name)) == "pending")
        return _not_connected(lacking[0], seen.get(lacking[0]))
    return _not_offered(access.shown, {name: report.tools for name, report in seen.items()})


def problem_with_tools(
    access: Access, reports: Iterable[ServerReport], first: FirstMessage
) -> str | None:
    """Return one sentence naming what the CLI's first message lacks, or None.

    `reports`: what the CLI had connected; of a whole server every tool in it was promised.
    """
    for server in access.entries:
        status = first.servers.get(server, "unknown")
        if status != "connected":
            return _not_connected(server, ServerReport(server, status, ()))
    for server, tool in _promised(access, reports):
        if cli_name(server, tool) not in first.tools:
            return (
                f"Tool {tool!r} of server {server!r}, which this run needs, did not reach the CLI."
            )
    return _problem_with_built_in(access, first)


def _promised(access: Access, reports: Iterable[ServerReport]) -> list[tuple[str, str]]:
    named = [pair for pair in access.shown if pair[1] != ALL]
    whole = {server for server, tool in access.shown if tool == ALL}
    renamed = {pair for pair, _ in access.own_names}
    shown = [
        (each.name, tool)
        for each in reports
        if each.name in whole
        for tool in each.tools
        if (each.name, tool) not in renamed
    ]
    return [*named, *shown]


def _problem_with_built_in(access: Access, first: FirstMessage) -> str | None:
    for rule in access.built_in:
        tool = rule.partition("(")[0]
        if {tool, _NOW_CALLED.get(tool, tool)}.isdisjoint(first.tools):
            return (
                f"The Claude CLI {first.version} has no tool {tool!r} in unattended runs, which"
                f" this run needs; of those named it has: {', '.join(first.tools) or 'none'}."
            )
    return None


def _status(report: ServerReport | None) -> str:
    return report.status if report else "unknown to the CLI"


def _not_connected(server: str, report: ServerReport | None) -> str:
    status = _status(report)
    detail = f" ({report.error})" if report and report.error else ""
    return (
        f"Server {server!r} is not connected but {status}{detail}, so the run did not start;"
        " repair or disable it, or name the servers that this run needs."
    )


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name)
