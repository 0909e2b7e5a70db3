"""Short names for long addresses, kept in one file of the server's data folder."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

DATA_DIR = Path(os.environ["DATA_DIR"])
LINKS = DATA_DIR / "links.json"
MAX_LINKS = 10_000
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"

mcp = FastMCP("url-shortener")

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", description="Such as q3-report")]
Address = Annotated[str, Field(max_length=4000, description="An http:// or https:// address")]


@mcp.tool
def shorten(url: Address, name: Name | None = None) -> str:
    """Keep a long address under a short name, which is made up unless given, and return the name.

    The same address again gives the name that it has.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ToolError(f"{url!r} is no http:// or https:// address.")
    with _links() as links:
        known = next((each for each, kept in links.items() if kept == url), None)
        if known and name in (None, known):
            return known
        if name in links:
            raise ToolError(f"{name!r} stands for {links[name]}; choose another name.")
        if len(links) >= MAX_LINKS:
            raise ToolError(f"There are {MAX_LINKS} names already; remove one.")
        name = name or _new_name(links)
        links[name] = url
        return name


@mcp.tool(annotations={"readOnlyHint": True})
def expand(name: Name) -> str:
    """Return the address that a short name stands for."""
    with _links() as links:
        return _found(links, name)


@mcp.tool(annotations={"readOnlyHint": True})
def list_links(contains: Annotated[str, Field(max_length=200)] = "") -> dict[str, str]:
    """Return names and their addresses: all of them, or those with a text in either."""
    with _links() as links:
        return {name: url for name, url in sorted(links.items()) if contains in f"{name} {url}"}


@mcp.tool(annotations={"destructiveHint": True})
def remove(name: Name) -> str:
    """Forget a short name; return the address that it stood for."""
    with _links() as links:
        url = _found(links, name)
        del links[name]
        return url


@contextmanager
def _links() -> Iterator[dict[str, str]]:
    """Give the links, and keep what the body makes of them unless it fails.

    Under a lock: while new code of this server starts, the process before it still serves.
    """
    with (DATA_DIR / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        links = json.loads(LINKS.read_text("utf-8")) if LINKS.exists() else {}
        before = dict(links)
        yield links
        if links != before:
            # Written beside and renamed: a process that dies in between leaves a whole file.
            beside = LINKS.with_suffix(".new")
            beside.write_text(json.dumps(links, indent=2), "utf-8")
            beside.replace(LINKS)


def _found(links: dict[str, str], name: str) -> str:
    if name not in links:
        raise ToolError(f"No address is kept under {name!r}; list_links shows what there is.")
    return links[name]


def _new_name(links: dict[str, str]) -> str:
    while (name := "".join(secrets.choice(LETTERS) for _ in range(5))) in links:
        pass
    return name


if __name__ == "__main__":
    mcp.run()
