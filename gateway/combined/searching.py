"""The endpoint's own tools: words to tools, a tool in full, and a call of one that is not listed.

For clients that take no list of hundreds. Above: `endpoint`. `call_tool` is only described here: it
is routed as the call that it asks for.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.combined.catalogue import Catalogue
from gateway.combined.routing import CALL_TOOL
from gateway.combined.table import Entry
from gateway.domain.units import counted
from gateway.domain.view import View
from gateway.tool_names import did_you_mean
from gateway.tools.descriptions import example_of, hit_of
from gateway.tools.tool_index import Listed, ToolIndex, words_of
from supervisor.children.wire import decode, encode

MANY_TOOLS = 50
"""From here on the instructions tell the model to search before it reads lists."""
MAX_QUERY_CHARACTERS = 500
MAX_HITS = 50
DEFAULT_HITS = 10
SEARCH_TOOLS = "search_tools"
DESCRIBE_TOOL = "describe_tool"

_READ = {"readOnlyHint": True, "openWorldHint": False}
_SEARCH = {
    "name": SEARCH_TOOLS,
    "title": "Search the tools of all servers",
    "description": "Find tools of all servers here by words in names, descriptions and arguments.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_QUERY_CHARACTERS,
                "description": "Words for what the tool should do.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_HITS,
                "default": DEFAULT_HITS,
                "description": "Most tools to return.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    "annotations": _READ,
}
_DESCRIBE = {
    "name": DESCRIBE_TOOL,
    "title": "Describe a tool",
    "description": "Show a tool in full: its arguments as a JSON schema, and some that fit.",
    "inputSchema": {
        "type": "object",
        "properties": {"tool": {"type": "string", "description": "A name from search_tools."}},
        "required": ["tool"],
        "additionalProperties": False,
    },
    "annotations": _READ,
}
_CALL = {
    "name": CALL_TOOL,
    "title": "Call a tool",
    "description": "Call a tool that search_tools found; the answer is the tool's own.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "tool": {"type": "string", "description": "A name from search_tools."},
            "arguments": {"type": "object", "description": "As describe_tool shows them."},
        },
        "required": ["tool"],
        "additionalProperties": False,
    },
    "annotations": {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": True},
}
BESIDE_TOOLS = (encode(_SEARCH), encode(_DESCRIBE))
"""Listed before the tools of servers."""
INSTEAD_OF_TOOLS = (*BESIDE_TOOLS, encode(_CALL))
"""Listed alone where the tools of servers are too many."""
ANSWERED_HERE = (_SEARCH, _DESCRIBE)
SAYS_UNFIT = b'"isError":true}'
"""What a result ends with that tells of arguments that do not fit."""


class Unfit(Exception):
    """Arguments that one of these tools does not take; the message is one sentence."""


class Searching:
    """Answers `search_tools` and `describe_tool` for every view."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._index = ToolIndex()

    async def answer(self, name: str, arguments: Mapping[str, Any], view: View | None) -> bytes:
        """Return the result of one of the two tools as JSON."""
        try:
            if name == SEARCH_TOOLS:
                told = await self._search(arguments, view)
            else:
                told = self._describe(arguments, view)
        except Unfit as error:
            return encode({"content": [{"type": "text", "text": str(error)}], "isError": True})
        text = encode(told).decode()
        return encode({"content": [{"type": "text", "text": text}], "structuredContent": told})

    async def _search(self, arguments: Mapping[str, Any], view: View | None) -> dict[str, Any]:
        query, limit = _query(arguments), _limit(arguments)
        listed = [Listed(server, tools) for server, tools in self._catalogue.tool_sources()]
        servers = None if view is None or view.has_every_server else view.servers
        found = await self._index.find(query, listed, within=servers)
        known = {
            (entry.server, entry.original): entry
            for entry in self._catalogue.tools(view).entries.values()
        }
        entries = [e for name in found if (e := known.get((name.server, name.tool))) is not None]
        hits = [asdict(hit_of(e.key, _definition(e))) for e in entries[:limit]]
        near = "" if hits else did_you_mean(query, self._catalogue.tools(view).entries)
        message = (
            f"{len(hits)} of {counted(len(entries), 'tool')}."
            if hits
            else "No tool has these words."
        )
        return {"tools": hits, "found": len(entries), "message": message + near}

    def _describe(self, arguments: Mapping[str, Any], view: View | None) -> dict[str, Any]:
        name = arguments.get("tool")
        if not isinstance(name, str):
            raise Unfit("describe_tool needs the name of a tool in 'tool'.")
        table = self._catalogue.tools(view)
        entry = table.entries.get(name)
        if entry is None:
            reason = table.refused.get(name) or f"There is no tool {name[:200]!r}."
            raise Unfit(reason + did_you_mean(name[:200], table.entries))
        definition = _definition(entry)
        slot = self._catalogue.slot(entry.server, view)
        return {
            "tool": definition,
            "server": entry.server,
            "state": None if slot is None else slot.state.value,
            "example": example_of(definition.get("inputSchema")),
        }


def instructions(count: int, servers: int, *, search_only: bool) -> str:
    """Return what the endpoint tells a model about itself."""
    text = (
        f"All MCP servers of this gateway in one: {counted(count, 'tool')} of"
        f" {counted(servers, 'server')}, named mcp__<server>__<tool>; prompts are"
        " named likewise, resources keep their URIs."
    )
    if search_only:
        return (
            f"{text} They are too many to be listed. Search first: search_tools finds tools by"
            " words, describe_tool shows their arguments, call_tool calls them."
        )
    if count >= MANY_TOOLS:
        return (
            f"{text} Search first: search_tools finds tools by words and describe_tool shows"
            " their arguments; then call them by their names."
        )
    return text


def _definition(entry: Entry) -> dict[str, Any]:
    return decode(entry.definition, type=dict[str, Any])


def _query(arguments: Mapping[str, Any]) -> str:
    query = arguments.get("query")
    if not isinstance(query, str) or len(query) > MAX_QUERY_CHARACTERS or not words_of(query):
        raise Unfit(
            f"search_tools needs words to search for in 'query', at most {MAX_QUERY_CHARACTERS}"
            " characters."
        )
    return query


def _limit(arguments: Mapping[str, Any]) -> int:
    limit = arguments.get("limit", DEFAULT_HITS)
    if not isinstance(limit, int) or not 1 <= limit <= MAX_HITS:
        raise Unfit(f"'limit' is a whole number from 1 to {MAX_HITS}.")
    return limit
