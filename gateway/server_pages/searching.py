"""``/tools``: the tools of all servers, found by words."""

from collections.abc import Mapping
from typing import Any

from quart import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest

from gateway.tool_names import ToolName
from gateway.tools.descriptions import hit_of
from gateway.tools.tool_search import NoWords, ToolSearch

SHOWN = 100
MAX_QUERY = 500


class SearchPages:
    """The handler, with what it needs."""

    def __init__(self, search: ToolSearch) -> None:
        self._search = search

    def add_to(self, pages: Blueprint) -> None:
        """Add the route."""
        pages.get("/tools")(self.search)

    async def search(self) -> str:
        """The tools that have words of what was asked, best first; all of them for nothing."""
        query = request.args.get("q", "").strip()[:MAX_QUERY]
        try:
            found = await self._search.find(query) if query else self._search.all()
        except NoWords as error:
            raise BadRequest("There is no word in that to search for.") from error
        names = found.names[:SHOWN]
        return await render_template(
            "tool_search.html",
            query=query,
            rows=[_row(name, found.definitions[name]) for name in names],
            count=len(found.names),
            silent=found.silent,
        )


def _row(name: ToolName, definition: Mapping[str, Any]) -> dict[str, object]:
    hit = hit_of(name.canonical, definition)
    return {
        "server": name.server,
        "tool": name.tool,
        "title": hit.title,
        "description": hit.description,
        "arguments": ", ".join(hit.arguments),
    }
