"""Parts of files, and pictures."""

import base64
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, BinaryIO

from granted_files.errors import FilesError
from granted_files.roots import Place, Roots, parent_of

MOST = 1_000_000
MAX_IMAGE_BYTES = 4 * 1024 * 1024
LOOKED_AT = 8192
"""Bytes at the beginning of a file, by which it is text or not."""
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PICTURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


def read_part(roots: Roots, path: str, offset: int, limit: int) -> dict[str, Any]:
    """Return bytes of a file from an offset on, as text if it is text. Raises FilesError."""
    place = roots.place(path)
    with open_file(place) as file:
        size = os.fstat(file.fileno()).st_size
        is_text = b"\0" not in file.read(LOOKED_AT)
        start = max(0, size + offset) if offset < 0 else min(offset, size)
        file.seek(start)
        data = file.read(limit)
    ended = start + len(data) >= size
    if is_text and not ended:
        data = _whole_characters(data)
    following = start + len(data)
    shown = (
        {"text": data.decode("utf-8", "replace")}
        if is_text
        else {"base64": base64.b64encode(data).decode("ascii")}
    )
    next_offset = following if following < size else None
    return {"path": place.text, "bytes": size, "offset": start, "next_offset": next_offset, **shown}


def read_image(roots: Roots, path: str) -> tuple[bytes, str]:
    """Return a picture and its kind, by its content and not its name. Raises FilesError."""
    place = roots.place(path)
    with open_file(place) as file:
        data = file.read(MAX_IMAGE_BYTES + 1)
    kind = next((kind for start, kind in _PICTURES.items() if data.startswith(start)), None)
    if kind is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "webp"
    if kind is None:
        raise FilesError(f"{place.text!r} is no PNG, JPEG, GIF or WebP picture.")
    if len(data) > MAX_IMAGE_BYTES:
        raise FilesError(f"{place.text!r} is larger than 4 MiB; read_file reads parts of it.")
    return data, kind


@contextmanager
def open_file(place: Place) -> Generator[BinaryIO]:
    """Give a regular file, open. Raises FilesError."""
    with (
        parent_of(place) as (folder, name),
        os.fdopen(os.open(name, FILE, dir_fd=folder), "rb") as file,
    ):
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FilesError(f"{place.text!r} is no file that can be read.")
        yield file


def _whole_characters(data: bytes) -> bytes:
    """Return UTF-8 without the beginning of a character at its end."""
    for back in range(1, min(4, len(data))):
        byte = data[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if needed > back else data
        if byte < 0x80:
            return data
    return data
