"""The spellings in which programs print a value. Pure."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Characters; a shorter value is no secret, and hiding it would hide half of what was said."""
PIECE = 64
"""Bytes; a longer spelling is looked for in pieces, so that a cut one is hidden too."""
LINE_ENDS = b"\r\n"
"""Stand in no spelling: text is looked through without them, for some programs wrap lines."""
_URLSAFE = bytes.maketrans(b"+/", b"-_")


def spellings(value: str) -> frozenset[bytes]:
    """Return what to look for, in text without line ends, to find `value` in its spellings.

    Plain, whole or one line of it, quoted for JSON, Python or a URL, hexadecimal, base64. Each has
    at least `SHORTEST` and at most `PIECE` bytes. A value that is too short has none.
    """
    if len(value.strip()) < SHORTEST:
        return frozenset()
    found: set[bytes] = set()
    for text in (*_texts(value), *_encoded(value.encode("utf-8", "surrogatepass"))):
        found.update(_pieces(text.translate(None, LINE_ENDS)))
    return frozenset(found)


def _texts(value: str) -> Iterator[bytes]:
    quoted = json.dumps(value)[1:-1]
    plainly = json.dumps(value, ensure_ascii=False)[1:-1]
    in_url = {quote(value, safe="", errors="replace"), quote(value, errors="replace")}
    in_url |= {quote_plus(value, errors="replace")}
    texts = {value, *value.splitlines(), quoted, quoted.replace("/", "\\/"), plainly}
    texts |= {repr(value)[1:-1], *in_url, *map(_with_small_digits, in_url)}
    for text in texts:
        yield text.encode("utf-8", "surrogatepass")


def _with_small_digits(quoted: str) -> str:
    first, *rest = quoted.split("%")
    return first + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _encoded(data: bytes) -> Iterator[bytes]:
    yield data.hex().encode()
    yield data.hex().upper().encode()
    for before in range(3):
        # What comes before shifts the digits: those that depend on the value alone are the same.
        digits = base64.b64encode(b"\0" * before + data)
        first, last = -(-8 * before // 6), 8 * (before + len(data)) // 6
        yield digits[first:last]
        yield digits[first:last].translate(_URLSAFE)


def _pieces(text: bytes) -> Iterator[bytes]:
    if len(text) <= PIECE:
        if len(text.strip()) >= SHORTEST:
            yield text
        return
    # As long as each other, so that the last one is no shorter than what is looked for.
    count = -(-len(text) // PIECE)
    for number in range(count):
        yield text[len(text) * number // count : len(text) * (number + 1) // count]
