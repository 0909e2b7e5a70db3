"""Tools that find the tools of servers and say how to call them.

A client that lists this gateway's tools once a day still sees a server's tools through these.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastmcp.tools import tool
from pydantic import Field

from gateway.domain.units import counted, shown
from gateway.tool_names import did_you_mean
from gateway.tools.descriptions import ToolHit, example_of, hit_of, object_of, title_of
from gateway.tools.finding import Finder, ToolText
from gateway.tools.hints import READ
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from gateway.tools.tool_search import NoWords, ToolSearch

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
        self._search = ToolSearch(services.supervisor.snapshots)

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
        try:
            found = await self._search.find(query)
        except NoWords:
            raise Refused(f"{shown(query)} holds no word to search for.") from None
        hits = [
            hit_of(self._finder.shown_name(name), found.definitions[name])
            for name in found.names[:limit]
        ]
        every = [name.canonical for name in found.definitions]
        near = "" if hits else did_you_mean(query, every)
        count = len(found.names)
        return SearchAnswer(
            tools=hits,
            found=count,
            message=f"{len(hits)} of {counted(count, 'tool')}." if hits else f"{NO_MATCH}{near}",
            silent_servers=list(found.silent),
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
