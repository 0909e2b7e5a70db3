"""Files in the folders that the owner granted; docs/servers/files.md."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.utilities.types import Image
from pydantic import Field

from granted_files import listing, reading, searching, writing
from granted_files.errors import FilesError
from granted_files.roots import Roots

mcp = FastMCP("files")
roots = Roots.of(os.environ)

PathText = Annotated[
    str, Field(description="Such as documents/2026/report.txt; list_files() shows the first part")
]
LOOK = {"readOnlyHint": True, "openWorldHint": False}
CHANGE = {"destructiveHint": True, "openWorldHint": False}


@contextmanager
def told() -> Iterator[None]:
    """Have what cannot be done told in one sentence."""
    try:
        yield
    except FilesError as error:
        raise ToolError(str(error)) from error


@mcp.tool(annotations=LOOK)
def list_files(path: PathText = "") -> dict[str, Any]:
    """List a folder; without a path the granted folders, and which of them can be written."""
    with told():
        return listing.list_folder(roots, path)


@mcp.tool(annotations=LOOK)
def read_file(
    path: PathText,
    offset: Annotated[int, Field(description="In bytes; a negative one counts from the end")] = 0,
    limit: Annotated[int, Field(ge=1, le=reading.MOST, description="In bytes")] = 50_000,
) -> dict[str, Any]:
    """Read a part of a file: as `text`, or as `base64` if it is none. `next_offset` goes on."""
    with told():
        return reading.read_part(roots, path, offset, limit)


@mcp.tool(annotations=LOOK)
def view_image(path: PathText) -> Image:
    """Show a picture: PNG, JPEG, GIF or WebP of at most 4 MiB."""
    with told():
        data, kind = reading.read_image(roots, path)
        return Image(data=data, format=kind)


@mcp.tool(annotations=LOOK)
def find_files(
    pattern: Annotated[str, Field(description="Such as *.pdf or 2026/*/report*; case is ignored")],
    path: PathText = "",
) -> dict[str, Any]:
    """Find files and folders by their name, below a folder or in all granted ones."""
    with told():
        return searching.by_name(roots, pattern, path)


@mcp.tool(annotations=LOOK)
def search_text(
    text: Annotated[str, Field(description="Found as it is; case is ignored", min_length=1)],
    path: PathText = "",
    pattern: Annotated[str, Field(description="Only in files of such names, as *.md")] = "*",
) -> dict[str, Any]:
    """Find lines of text files, below a folder or in all granted ones."""
    with told():
        return searching.by_text(roots, text, path, pattern)


@mcp.tool(annotations=CHANGE)
def write_file(
    path: PathText,
    text: str = "",
    base64: Annotated[str, Field(description="Content that is no text, in place of `text`")] = "",
    overwrite: Annotated[bool, Field(description="Replace a file that is there")] = False,  # noqa: FBT002 - an argument of a tool is named
) -> dict[str, Any]:
    """Write a whole file, and the folders on the way to it."""
    with told():
        return writing.write(roots, path, text, base64, overwrite=overwrite)


@mcp.tool(annotations=CHANGE)
def move_file(path: PathText, to: PathText) -> str:
    """Move or rename a file or a folder; nothing is replaced."""
    with told():
        writing.move(roots, path, to)
    return f"{path} is {to} now."


@mcp.tool(annotations=CHANGE)
def delete_file(path: PathText) -> str:
    """Delete a file, a link itself, or an empty folder."""
    with told():
        writing.delete(roots, path)
    return f"{path} is deleted."
