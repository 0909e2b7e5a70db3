"""The tool that reads results which were too large for one answer."""

from typing import Annotated

from fastmcp.tools import ToolResult, tool
from mcp_types import TextContent
from pydantic import Field

from gateway.calls.kept_results import Excerpts, Page
from gateway.domain.units import shown
from gateway.tools.hints import READ
from gateway.tools.scopes import caller_id
from gateway.tools.sentences import Refused
from gateway.tools.services import Services

ResultHandle = Annotated[
    str, Field(max_length=100, description="From the answer that was cut, such as result_k3v7...")
]


class ResultTools:
    """read_result."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Read on in a large result", annotations=READ, output_schema=None)
    async def read_result(
        self,
        handle: ResultHandle,
        offset: Annotated[int, Field(ge=0, description="Bytes to skip.")] = 0,
        contains: Annotated[
            str | None,
            Field(
                min_length=1,
                max_length=200,
                description="Show the places from offset on that hold this text, not a page.",
            ),
        ] = None,
    ) -> ToolResult:
        """Read the next page of a result that was cut, or find a text in it.

        Only whoever made the call can read its result. Results are kept for an hour.
        """
        results, owner = self._services.results, caller_id()
        if contains is not None:
            found = await results.search(owner, handle, text=contains, offset=offset)
            return _answer(_found(found, contains, offset))
        length = self._services.settings.large_result_bytes
        page = await results.read(owner, handle, offset=offset, length=length)
        if offset >= page.total:
            raise Refused(f"The result has {page.total} bytes; there is nothing at {offset}.")
        return _answer(_page(page))


def _page(page: Page) -> str:
    more = "the end" if page.end == page.total else f"read on with offset={page.end}"
    return f"[bytes {page.offset} to {page.end} of {page.total}; {more}]\n{page.text}"


def _found(found: Excerpts, text: str, offset: int) -> str:
    places = [f"[at {page.offset}]\n{page.text}" for page in found.pages]
    more = "" if found.more_from is None else f"; search on with offset={found.more_from}"
    count = f"{len(places)} places hold {shown(text)} from {offset} on, of {found.total} bytes"
    return "\n\n".join([f"[{count}{more}]", *places])


def _answer(text: str) -> ToolResult:
    return ToolResult([TextContent(type="text", text=text)])
