"""The tool that calls the tools of servers, so that a new one can be used in the same chat."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastmcp.tools import ToolResult, tool
from mcp_types import CallToolResult
from pydantic import Field, ValidationError

from gateway.tools.hints import OPEN
from gateway.tools.names import ToolName, check_text, did_you_mean, doubt_about, resolve
from gateway.tools.payload import expectation_of, fault_of
from gateway.tools.sentences import Refused, shown
from gateway.tools.server_views import live_tools
from gateway.tools.services import Services
from supervisor.events import ServerState

ToolText = Annotated[
    str, Field(description="'mcp__server__tool'; 'server:tool' and 'server.tool' mean the same.")
]


class InvokeTools:
    """invoke_internal_mcp_tool."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Call a tool of a server", annotations=OPEN, output_schema=None)
    async def invoke_internal_mcp_tool(
        self,
        tool: ToolText,
        payload: Annotated[dict[str, Any], Field(description="The tool's arguments.")] = {},  # noqa: B006 - never changed
    ) -> ToolResult:
        """Call a tool of any server behind this gateway, also of one that was made just now.

        list_dynamic_mcp_servers and list_fixed_mcp_servers show the names; a payload that does
        not fit the tool's schema is answered with the schema. The answer is the tool's own.
        """
        name = await self._find(tool)
        self._check_payload(name, payload)
        result = await self._services.supervisor.request(
            name.server, "tools/call", {"name": name.tool, "arguments": payload}
        )
        return _read_result(name, result)

    async def _find(self, text: str) -> ToolName:
        """Return the tool, waiting for its server if that is being started."""
        written = check_text(text)
        live = live_tools(self._services.supervisor.snapshots())
        name = resolve(written, live)
        if name is None or name.tool == "*":
            names = [ToolName(server, tool).canonical for server in live for tool in live[server]]
            raise Refused(
                f"{shown(written)} names no tool of a server; write 'mcp__server__tool'."
                f"{did_you_mean(written, names)}"
            )
        if name.server in live:
            await self._settled(name.server)
            live = live_tools(self._services.supervisor.snapshots())
        if doubt := doubt_about(name, live):
            raise Refused(doubt)
        return name

    async def _settled(self, server: str) -> None:
        supervisor, servers = self._services.supervisor, self._services.servers
        if supervisor.snapshot(server).state is ServerState.STARTING:
            await supervisor.wait_settled(server, servers.spec(server).start_timeout_s)
        seen = supervisor.snapshot(server)
        if seen.state is ServerState.DISABLED:
            enable = f"enable_{'fixed' if seen.kind == 'fixed' else 'mcp'}_server"
            raise Refused(f"Server {server!r} is disabled; start it with {enable}.")

    def _check_payload(self, name: ToolName, payload: Mapping[str, Any]) -> None:
        tools = self._services.supervisor.snapshot(name.server).tools
        schema = next(t.get("inputSchema") for t in tools if t.get("name") == name.tool)
        if fault := fault_of(payload, schema):
            raise Refused(
                f"The payload does not fit {name.canonical}: {fault};"
                f" expected {expectation_of(schema)}"
            )


def _read_result(name: ToolName, result: Mapping[str, Any]) -> ToolResult:
    """Return a child's result as it is. Raises Refused when it is not the result of a tool."""
    if result.get("resultType", "complete") != "complete":
        raise Refused(
            f"{name.canonical} asks for input first, which this tool cannot pass on;"
            f" connect to /servers/{name.server}/mcp to call it."
        )
    try:
        return ToolResult.from_mcp_result(CallToolResult.model_validate(result))
    except ValidationError as error:
        raise Refused(f"{name.canonical} answered something that is no tool result.") from error
