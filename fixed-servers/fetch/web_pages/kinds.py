"""Which media types hold text. Pure."""

import re

HTML = frozenset({"text/html", "application/xhtml+xml"})
TEXTS = frozenset(
    {
        "application/json",
        "application/ld+json",
        "application/javascript",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
        "application/toml",
    }
)
# Possessive: blanks and comments, once passed, are not tried in another way.
_MARKUP = re.compile(
    rb"(?:\s++|<!--(?:(?!-->).)*+-->)*+<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
SNIFFED = 1024


def is_readable(kind: str) -> bool:
    """Return whether a media type holds text; one that is not told may."""
    return (
        not kind
        or kind in HTML | TEXTS
        or kind.startswith("text/")
        or kind.endswith(("+json", "+xml"))
    ) and not kind.startswith("image/")


def is_html(kind: str, content: bytes) -> bool:
    """Return whether a page is HTML; without a media type by how it begins."""
    return kind in HTML if kind else bool(_MARKUP.match(content[:SNIFFED]))
