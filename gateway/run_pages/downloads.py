"""Files of runs as downloads: bytes that a model wrote, which no browser may take for a page."""

from collections.abc import AsyncIterator
from functools import partial
from typing import cast
from urllib.parse import quote

from anyio import to_thread
from quart import Response, make_response
from werkzeug.exceptions import Gone, NotFound

from gateway.run_files.kinds import BYTES
from gateway.run_files.reading import chunks
from gateway.run_files.shelf import FileGone, Shelf
from gateway.store import Store

POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
UNNAMED = "file"


async def download_file(
    store: Store, shelf: Shelf, run_id: str, attempt: int, number: int
) -> Response:
    """Return a file as it was kept. Raises NotFound, and Gone when its bytes are not there."""
    file = await store.run_files.get(run_id, attempt, number)
    if file is None:
        raise NotFound(f"Run {run_id[:50]!r} left no such file.")
    try:
        await to_thread.run_sync(shelf.check, file)
    except FileGone as error:
        raise Gone(str(error)) from error
    # Opened by its reader alone: one that leaves before the first bytes has nothing to close.
    parts = chunks(partial(shelf.open, file))

    async def body() -> AsyncIterator[bytes]:
        try:
            while chunk := await to_thread.run_sync(next, parts, b""):
                yield chunk
        finally:
            parts.close()

    response = cast("Response", await make_response(body()))
    # Whatever the file is, it is for the disk: the media type would only invite a viewer.
    response.content_type = BYTES
    response.content_length = file.size
    response.headers["Content-Disposition"] = _disposition(file.path)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.timeout = None
    return response


def _disposition(path: str) -> str:
    """Return the header that names the file on disk (RFC 6266), of which no part is trusted."""
    name = "".join(char if char.isprintable() else "_" for char in path.rpartition("/")[2])
    # What some systems take for a path, and a leading dot, which would hide it.
    name = name.replace("\\", "_").lstrip(".") or UNNAMED
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"
