"""Markup as Markdown, in time and memory that hostile markup cannot stretch."""

import re
from typing import Any, cast

from bs4 import Tag
from bs4.element import NavigableString
from markdownify import ATX, MarkdownConverter

from web_pages.errors import FetchError

INLINE: tuple[str, ...] = (
    "a",
    "img",
    "b",
    "strong",
    "i",
    "em",
    "code",
    "kbd",
    "samp",
    "del",
    "s",
    "sub",
    "sup",
)
"""What leaves no mark in plain text."""
MAX_WRITTEN = 8_000_000
"""Characters; markup within markup grows with each level."""
NUMBERS = frozenset({"colspan", "start"})
"""Attributes that the converter writes out at their length, and takes for numbers."""
_SMALL = re.compile(r"[0-9]{1,2}")
SHORT = 100
"""Characters of a text whose blanks cost nothing."""
_BLANKS = re.compile(r"[ \t\r\n]{2,}")
# The first begins where no blank stands before it: a long run of blanks is looked at once.
_GAPS = re.compile(r"(?<![ \t])[ \t]*+\n(?:[ \t]*+\n){2,}")


def without_gaps(text: str) -> str:
    """Return a text with at most one empty line between others."""
    return _GAPS.sub("\n\n", text).strip()


class Writer(MarkdownConverter):
    """Writes one page; `plain` leaves out the marks within lines, `most` is in characters."""

    def __init__(self, *, plain: bool, most: int = MAX_WRITTEN) -> None:
        super().__init__(
            heading_style=ATX,
            bullets="-",
            strip=[*INLINE] if plain else None,
            strip_pre=None,
            escape_asterisks=False,
            escape_underscores=False,
        )
        self._most = most

    def process_tag(self, node: Tag, parent_tags: set[str] | None = None) -> str:
        """Return a tag as Markdown. Raises FetchError: it grew too long."""
        for key in NUMBERS & node.attrs.keys():
            if not _SMALL.fullmatch(str(node[key])):
                del node[key]
        text = cast(Any, super()).process_tag(node, parent_tags=parent_tags)
        if len(text) > self._most:
            raise FetchError(f"The page's text is longer than {self._most:,} characters.")
        return text

    def process_text(self, el: NavigableString, parent_tags: set[str] | None = None) -> str:
        """Return words; long runs of blanks would take the converter's own patterns hours."""
        if len(el) > SHORT and "pre" not in (parent_tags or ()):
            short = NavigableString(_BLANKS.sub(_one_blank, el))
            short.parent, short.previous_sibling = el.parent, el.previous_sibling
            short.next_sibling = el.next_sibling
            el = short
        return cast(Any, super()).process_text(el, parent_tags=parent_tags)

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Return a block without the empty lines around it."""
        text = text.rstrip(" \n")
        blank = len(text) - len(text.lstrip(" \n"))
        return cast(Any, super()).convert_pre(
            el, text[text.rfind("\n", 0, blank) + 1 :], parent_tags
        )


def _one_blank(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] or "\r" in run[0] else " "
