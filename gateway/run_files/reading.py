"""Reads kept files: all of one to send it, a page of a text, an image. Blocking."""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass

from gateway.calls.kept_results import cut
from gateway.run_files.kinds import image_kind, is_text
from sandboxes.policy import MIB

CHUNK = 256 * 1024
IMAGE_BYTES = MIB
"""Larger images are more than a model is shown in one answer."""


@dataclass(frozen=True, slots=True)
class TextPage:
    """A stretch of a text."""

    text: str
    offset: int
    """Bytes before it."""
    end: int
    """Bytes up to its end; where the next page begins."""


@dataclass(frozen=True, slots=True)
class Image:
    """A whole image."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Opaque:
    """A file that is neither a text nor an image that can be shown."""


def read_for_model(descriptor: int, offset: int, length: int) -> TextPage | Image | Opaque:
    """Return what a model sees of a file, and close it.

    Of a text the page at `offset`, of about `length` bytes; what is no UTF-8 shows as U+FFFD.
    """
    with os.fdopen(descriptor, "rb") as file:
        beginning = file.read(CHUNK)
        size = os.fstat(descriptor).st_size
        if (kind := image_kind(beginning)) and size <= IMAGE_BYTES:
            return Image(kind, beginning + file.read())
        if not is_text(beginning):
            return Opaque()
        file.seek(offset)
        # One character more, so that the cut is not inside of one.
        found = file.read(length + 4)
    end = cut(found, length)
    return TextPage(found[:end].decode("utf-8", "replace"), offset, offset + end)


def chunks(opened: Callable[[], int]) -> Generator[bytes]:
    """Yield the bytes of a file that is opened only when the first are wanted."""
    with os.fdopen(opened(), "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
