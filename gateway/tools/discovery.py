"""Tools that find the tools of servers and say how to call them.

A client that lists this gateway's tools once a day still sees a server's tools through these.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastmcp.tools import tool
from pydantic import Field

from gateway.domain.units import shown
from gateway.tool_names import ToolName, did_you_mean
from gateway.tools.descriptions import ToolHit, example_of, hit_of, object_of, title_of
from gateway.tools.finding import Finder, ToolText
from gateway.tools.hints import READ
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from gateway.tools.tool_index import Listed, ToolIndex, words_of
from supervisor.events import ServerState

NO_MATCH = "No tool has any of these words. create_mcp_server makes a new one."


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Tools, best first."""

    tools: list[ToolHit]
    found: int
    message: str
    silent_servers: list[str]
    """Enabled servers that show no tools now, so that nothing of theirs can be found."""


@dataclass(frozen=True, slots=True)
class ToolDescription:
    """A tool in full."""

    tool: str
    server: str
    state: str
    """Of its server."""
    title: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None
    annotations: dict[str, Any]
    """Hints of its author: read-only, destructive, idempotent, open world."""
    example: dict[str, Any] | None
    """A small payload that fits the schema; null where none could be made from it."""
    call: str


class DiscoveryTools:
    """search_tools, describe_tool."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._finder = Finder(services)
        self._index = ToolIndex()

    @tool(title="Search the tools of servers", annotations=READ)
    async def search_tools(
        self,
        query: Annotated[
            str,
            Field(min_length=1, max_length=500, description="Words for what the tool should do."),
        ],
        limit: Annotated[int, Field(ge=1, le=50, description="Most tools to return.")] = 10,
    ) -> SearchAnswer:
        """Find tools of all enabled servers by words in names, descriptions and arguments.

        Also tools of servers that were made a moment ago, which your own tool list may not show.
        Call what you find with invoke_internal_mcp_tool.
        """
        if not words_of(query):
            raise Refused(f"{shown(query)} holds no word to search for.")
        seen = [
            server
            for server in self._services.supervisor.snapshots()
            if server.state is not ServerState.DISABLED
        ]
        names = await self._index.find(query, [Listed(one.name, one.tools) for one in seen])
        tools = {(one.name, str(tool.get("name"))): tool for one in seen for tool in one.tools}
        hits = [
            hit_of(self._finder.shown_name(name), tools[name.server, name.tool])
            for name in names[:limit]
        ]
        near = "" if hits else did_you_mean(query, [ToolName(*key).canonical for key in tools])
        return SearchAnswer(
            tools=hits,
            found=len(names),
            message=f"{len(hits)} of {len(names)} tools." if hits else f"{NO_MATCH}{near}",
            silent_servers=[one.name for one in seen if not one.tools],
        )

    @tool(title="Describe a tool of a server", annotations=READ)
    async def describe_tool(self, tool: ToolText) -> ToolDescription:
        """Show a tool's arguments as a JSON schema, with a payload that fits and how to call it."""
        name, definition = await self._finder.find(tool)
        schema = definition.get("inputSchema")
        example = example_of(schema)
        text = self._finder.shown_name(name)
        return ToolDescription(
            tool=text,
            server=name.server,
            state=self._services.supervisor.snapshot(name.server).state,
            title=title_of(definition),
            description=str(definition.get("description") or ""),
            input_schema=object_of(schema),
            output_schema=object_of(definition.get("outputSchema")) or None,
            annotations=object_of(definition.get("annotations")),
            example=example,
            call=_call(text, example),
        )


def _call(text: str, example: dict[str, Any] | None) -> str:
    payload = "{...}" if example is None else json.dumps(example, ensure_ascii=False)
    return f"invoke_internal_mcp_tool(tool={json.dumps(text)}, payload={payload})"
