"""What a file is: by its name as far as programs agree on names, else text or bytes. Pure."""

import codecs
import mimetypes

TEXT = "text/plain"
BYTES = "application/octet-stream"
# The library's own table, not the machine's.
_BY_NAME = mimetypes.MimeTypes()
_BY_NAME.add_type("text/markdown", ".md")
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def kind_of(path: str, beginning: bytes | None) -> str:
    """Return the media type of a file; `beginning` are its first bytes, None: nobody read it."""
    if beginning is not None and (image := image_kind(beginning)):
        return image
    named, encoding = _BY_NAME.guess_type(path.rpartition("/")[2])
    if encoding is not None:
        return f"application/{encoding}"
    if named is not None:
        return named
    return TEXT if beginning is not None and is_text(beginning) else BYTES


def image_kind(beginning: bytes) -> str | None:
    """Return the media type of an image that models see, by its first bytes; None: no such."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _IMAGES.items() if beginning.startswith(magic)), None)


def is_text(beginning: bytes) -> bool:
    """Tell whether the beginning of a file is UTF-8 without NUL; it may end inside a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return False
    return b"\x00" not in beginning
