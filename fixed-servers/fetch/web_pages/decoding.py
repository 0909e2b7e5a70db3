"""From bytes to text: the encoding that is declared, else the one that is found."""

import codecs
import re

from bs4.dammit import EncodingDetector
from charset_normalizer import from_bytes

LOOKED_AT = 64 * 1024
"""Bytes in which a page declares its encoding, or from which it is found."""
WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
}
"""What browsers take these names for (WHATWG Encoding, section 4.2)."""
UNFIT = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"})
"""Codecs of Python that no page is written in; some take quadratic time."""
_TAG = re.compile(rb"<(?:\?xml|meta)\b([^<>]{1,500})", re.IGNORECASE)
_DECLARED = re.compile(rb"(?:charset|encoding)\s{0,9}=[\s\"']{0,9}([\w.:-]{1,40})", re.IGNORECASE)


def decode(content: bytes, charset: str | None, *, markup: bool) -> tuple[str, str]:
    """Return a text and its encoding.

    `charset`: as the Content-Type says, which a byte order mark outdoes and what the markup
    itself declares does not.
    """
    content, mark = EncodingDetector.strip_byte_order_mark(content)
    inside = _declared(content[:LOOKED_AT]) if markup else None
    for name in (mark, charset, inside):
        codec = _codec(name)
        if codec:
            return content.decode(codec, "replace"), codec
    return _found(content)


def _declared(beginning: bytes) -> str | None:
    """Return what a page says of itself, in XML's declaration or in a <meta>."""
    for tag in _TAG.finditer(beginning):
        name = _DECLARED.search(tag[1])
        if name:
            return name[1].decode("ascii", "replace")
    return None


def _found(content: bytes) -> tuple[str, str]:
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        best = from_bytes(content[:LOOKED_AT]).best()
        codec = _codec(best.encoding if best else None) or "cp1252"
        return content.decode(codec, "replace"), codec


def _codec(name: str | None) -> str | None:
    """Return Python's name of an encoding; None for what no page has."""
    if not name:
        return None
    try:
        found = codecs.lookup(name.strip()).name
        b"a".decode(found, "replace")
    except (LookupError, ValueError):
        # No such codec, or one that is for no text.
        return None
    return None if found in UNFIT else WIDER.get(found, found)
