"""Facts about cats from catfact.ninja: a public API that needs no key."""

from typing import Annotated, Any

import httpx2
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

API = "https://catfact.ninja"
TIMEOUT_S = 20

mcp = FastMCP("cat-facts")


@mcp.tool(annotations={"readOnlyHint": True, "openWorldHint": True})
async def random_fact(
    max_length: Annotated[int, Field(ge=20, le=1000, description="Most characters")] = 1000,
) -> str:
    """Return one random fact about cats, another one at each call."""
    fact = await _ask("/fact", max_length=max_length)
    if "fact" not in fact:
        raise ToolError(f"No fact has {max_length} characters at most; allow more.")
    return fact["fact"]


@mcp.tool(annotations={"readOnlyHint": True, "openWorldHint": True})
async def list_breeds(
    limit: Annotated[int, Field(ge=1, le=100, description="How many breeds")] = 20,
) -> list[dict[str, Any]]:
    """List breeds of cats with their country, origin, coat and pattern, by name."""
    return (await _ask("/breeds", limit=limit))["data"]


async def _ask(path: str, **parameters: int) -> dict[str, Any]:
    """Return what the API answers. The sandbox lets this server reach no other host."""
    try:
        async with httpx2.AsyncClient(base_url=API, timeout=TIMEOUT_S) as api:
            answer = await api.get(path, params=parameters)
    except httpx2.HTTPError as error:
        raise ToolError(f"{API} cannot be reached: {error}. Try again later.") from error
    if answer.status_code not in (200, 404):
        raise ToolError(f"{API} answered with status {answer.status_code}. Try again later.")
    return answer.json()


if __name__ == "__main__":
    mcp.run()
