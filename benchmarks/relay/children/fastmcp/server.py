"""The same server as most people write it."""

from fastmcp import FastMCP

mcp = FastMCP("fastmcp")


@mcp.tool
def echo(text: str) -> str:
    """Return the text."""
    return text


@mcp.tool
def blob(kib: int) -> str:
    """Return a long text."""
    return "x" * (kib * 1024)


if __name__ == "__main__":
    mcp.run(show_banner=False)
