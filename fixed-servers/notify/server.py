"""Sends messages to the owner; docs/servers/notify.md.

The gateway has the channels, with their addresses and passwords. It is asked over this server's
own pipe, by a request beside MCP's own, which it grants to servers with "notify" in their metadata.
"""

from typing import Annotated, Any, Literal

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import Request
from pydantic import BaseModel, ConfigDict, Field

mcp = FastMCP("notify")


class Notify(Request[dict[str, Any], Literal["claude-runner/notify"]]):
    """The request to the gateway, with `title` and `text`."""

    method: Literal["claude-runner/notify"] = "claude-runner/notify"


class Taken(BaseModel):
    """What the gateway answers."""

    model_config = ConfigDict(extra="allow")


@mcp.tool(annotations={"openWorldHint": True})
async def send_notification(
    context: Context,
    title: Annotated[str, Field(min_length=1, max_length=200)],
    text: Annotated[str, Field(min_length=1, max_length=2000)],
) -> dict[str, Any]:
    """Tell the owner something, by mail, phone or chat, as the owner set it up.

    For what should be known when nobody is looking; not for an answer in a chat. More than five
    within an hour come as one summary of their titles.
    """
    try:
        asked = Notify(params={"title": title, "text": text})
        taken = await context.session.send_request(asked, Taken)  # pyright: ignore[reportArgumentType] - none of MCP's own
        return taken.model_dump()
    except MCPError as error:
        raise ToolError(str(error)) from error
