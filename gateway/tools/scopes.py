"""Which tools a token may see and call: its scopes against what each tool does.

Over stdio there is no token: the caller is whoever started the process.
"""

from collections.abc import Sequence
from typing import Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_http_request
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult

from gateway.auth.caller import CALLER, Caller, CallerKind
from gateway.domain.token import Scope
from gateway.tools.sentences import Refused

RUN_TOOLS = frozenset(
    {
        "cancel_call",
        "get_call",
        "get_webhook",
        "invoke_internal_mcp_tool",
        "kill_run",
        "read_result",
        "replay_webhook_delivery",
        "test_webhook",
        "trigger_job",
    }
)
"""Tools for scope `run`; get_webhook among them, for its answer is a way to start runs."""

ADMIN_TOOLS = frozenset({"list_audit_entries"})
"""Tools for scope `admin` that change nothing: it tells of all other callers."""

NOBODY = Caller(CallerKind.TOKEN, "", frozenset())


class ScopeGate(Middleware):
    """Hides and refuses the tools that the caller's token was not made for."""

    async def on_list_tools(
        self,
        context: MiddlewareContext[mcp_types.ListToolsRequest],
        call_next: CallNext[mcp_types.ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        """List the tools that the caller may call."""
        scopes = _scopes()
        return [tool for tool in await call_next(context) if scope_of(tool) in scopes]

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Call the tool if the caller may."""
        assert context.fastmcp_context is not None
        tool = await context.fastmcp_context.fastmcp.get_tool(context.message.name)
        if tool is not None and (scope := scope_of(tool)) not in _scopes():
            raise Refused(f"{tool.name} needs a token with scope {scope}; yours has another.")
        return await call_next(context)


def scope_of(tool: Tool) -> Scope:
    """Return the scope that a tool needs."""
    if tool.name in RUN_TOOLS:
        return Scope.RUN
    if tool.name in ADMIN_TOOLS:
        return Scope.ADMIN
    read_only = tool.annotations is not None and tool.annotations.read_only_hint
    return Scope.READ if read_only else Scope.ADMIN


async def needed_scope(mcp: FastMCP[Any], name: str) -> Scope | None:
    """Return the scope that the tool of this name needs; None when there is no such tool."""
    tool = await mcp.get_tool(name)
    return None if tool is None else scope_of(tool)


def caller_id() -> str:
    """Return whose request this is: what is kept for one caller is there for no other."""
    caller = calling()
    return f"{CallerKind.LOCAL}:" if caller is None else f"{caller.kind}:{caller.id}"


def _scopes() -> frozenset[Scope]:
    """Return what the caller may do; `admin` holds the others."""
    caller = calling()
    if caller is None or Scope.ADMIN in caller.scopes:
        return frozenset(Scope)
    return caller.scopes


def calling() -> Caller | None:
    """Return who calls over HTTP, somebody without scopes if nobody said; None over stdio."""
    try:
        request = get_http_request()
    except RuntimeError:
        return None
    caller = request.scope.get(CALLER)
    return caller if isinstance(caller, Caller) else NOBODY
