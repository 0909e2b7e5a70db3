"""What an entry says of a request that came by the relay."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from gateway.audit.deeds import actor_of, correlation_of, find_tool, shape, shown_name
from gateway.audit.trail import Trail
from gateway.domain.audit import AuditEntry
from gateway.relay.ended import Ended, Report

AUDITED = frozenset({"tools/call", "resources/read", "prompts/get"})
"""Requests that leave an entry; lists and the like leave none."""
CALL_TOOL = "tools/call"
_FULL_NAME = re.compile(r"mcp__(?P<server>[a-z0-9-]+)__(?P<tool>.+)", re.DOTALL)

Tools = Sequence[Mapping[str, Any]]
ToolsOf = Callable[[str], Tools | None]
"""Returns what a server lists; None for a server that is not here."""


def reporting(trail: Trail, tools_of: ToolsOf) -> Report:
    """Return what the relay tells of each request."""

    def report(ended: Ended) -> None:
        if ended.method in AUDITED:
            trail.note(partial(relayed, ended, tools_of), ended.asked_bytes)

    return report


def relayed(ended: Ended, tools_of: ToolsOf) -> AuditEntry:
    """Return the entry of a request."""
    server, name, tools = _place(ended, tools_of)
    tool = find_tool(tools, name) if ended.method == CALL_TOOL else None
    actor, actor_id = actor_of(ended.caller)
    return AuditEntry(
        at=int(ended.at * 1000),
        actor=actor,
        actor_id=actor_id,
        action=ended.method,
        server=server,
        tool=shown_name(tool) if ended.method == CALL_TOOL else "",
        arguments=shape(ended.params, tool, ended.asked_bytes),
        asked_bytes=ended.asked_bytes,
        answered_bytes=ended.answered_bytes,
        outcome=ended.outcome,
        took_us=round(ended.took_s * 1e6),
        correlation=correlation_of(ended.traceparent, ended.request_id),
    )


def _place(ended: Ended, tools_of: ToolsOf) -> tuple[str, str | None, Tools]:
    """Return the server, its own name of the tool, and its tools; empty what is not here."""
    name = ended.name
    if ended.tools is not None:
        return ended.server, name, ended.tools
    server = ended.server
    if not server and (match := _FULL_NAME.fullmatch(name or "")):
        server, name = match["server"], match["tool"]
    tools = tools_of(server)
    return ("", None, ()) if tools is None else (server, name, tools)
