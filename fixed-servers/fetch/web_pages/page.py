"""A page that was fetched, as text: Markdown, or without marks."""

import re
import warnings
from dataclasses import dataclass, field
from enum import StrEnum

from bs4 import BeautifulSoup, Tag, XMLParsedAsHTMLWarning
from soupsieve import SelectorSyntaxError

from web_pages.address import joined
from web_pages.decoding import decode
from web_pages.errors import FetchError
from web_pages.kinds import HTML
from web_pages.visitor import Answer
from web_pages.writing import Writer, without_gaps

# XHTML is read as HTML on purpose: browsers forgive it as much.
warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)

UNSEEN = "script, style, noscript, template, svg, iframe, object, head, [hidden]"
MAX_SELECTED = 500
MAX_ADDRESSES = 8_000_000
"""Characters of a page's whole addresses, which a long base makes many of."""
MAX_TAGS = 100_000
"""Begun and ended; more would take the processor minutes and the memory that there is."""
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


class Form(StrEnum):
    """How a page's text is written down."""

    MARKDOWN = "markdown"
    TEXT = "text"


@dataclass(slots=True)
class Page:
    """One page; its text is made once for each way of asking."""

    url: str
    kind: str
    encoding: str
    source: str
    _texts: dict[tuple[Form, str], str] = field(default_factory=dict[tuple[Form, str], str])

    @classmethod
    def of(cls, answer: Answer) -> "Page":
        """Return what a host answered, decoded."""
        source, encoding = decode(
            answer.content, answer.charset, markup=answer.kind in HTML or "xml" in answer.kind
        )
        return cls(answer.url, answer.kind, encoding, source)

    @property
    def is_html(self) -> bool:
        """Whether there is markup to read."""
        return self.kind in HTML

    def soup(self) -> BeautifulSoup:
        """Return the page's markup, with addresses made whole. Raises FetchError: it has none."""
        if not self.is_html:
            raise FetchError(f"{self.url} is {self.kind}, which has no links, tables or selectors.")
        if self.source.count("<") > MAX_TAGS:
            raise FetchError(f"{self.url} has more than {MAX_TAGS:,} tags, too many to be read.")
        # lxml closes what authors leave open (<li>, <td>), which html.parser would nest.
        soup = BeautifulSoup(self.source, "lxml")
        base = soup.find("base", href=True)
        here = (joined(self.url, str(base["href"])) if isinstance(base, Tag) else None) or self.url
        room = MAX_ADDRESSES
        for name, key in (("a", "href"), ("img", "src")):
            for tag in soup.find_all(name):
                url = joined(here, str(tag.get(key, "")))
                del tag[key]
                if url is not None:
                    tag[key] = url
                    room -= len(url)
                elif name == "img":
                    tag.replace_with(str(tag.get("alt", "")))
                if room < 0:
                    raise FetchError(f"{self.url} holds addresses too long to be read.")
        return soup

    def title(self, soup: BeautifulSoup) -> str:
        """Return what the page calls itself."""
        return " ".join(soup.title.get_text().split()) if soup.title else ""

    def text(self, form: Form, selector: str) -> str:
        """Return the text of the page, or of what a CSS selector finds. Raises FetchError."""
        if (form, selector) not in self._texts:
            self._texts.clear()
            self._texts[form, selector] = self._written(form, selector)
        return self._texts[form, selector]

    def _written(self, form: Form, selector: str) -> str:
        if not self.is_html and not selector:
            return self.source
        soup = self.soup()
        title = self.title(soup)
        _take_out_unseen(soup)
        parts = map(_apart, _selected(soup, selector)) if selector else (soup,)
        text = "\n\n".join(_converted(part, form) for part in parts)
        text = without_gaps(text)
        return f"# {title}\n\n{text}" if title and not selector else text


def _take_out_unseen(soup: BeautifulSoup) -> None:
    styled = (tag for tag in soup.select("[style]") if _INVISIBLE.search(str(tag["style"])))
    for tag in (*soup.select(UNSEEN), *styled):
        tag.decompose()


def _selected(soup: BeautifulSoup, selector: str) -> list[Tag]:
    try:
        found = soup.select(selector, limit=MAX_SELECTED)
    except SelectorSyntaxError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise FetchError(f"{selector!r} is no CSS selector: {reason}.") from error
    if not found:
        raise FetchError(f"Nothing on the page matches {selector!r}.")
    chosen = {id(tag) for tag in found}
    return [tag for tag in found if not any(id(outer) in chosen for outer in tag.parents)]


def _apart(part: Tag) -> BeautifulSoup:
    """Return a part of a page as a page of its own."""
    page = BeautifulSoup("", "lxml")
    page.append(part)
    return page


def _converted(part: BeautifulSoup, form: Form) -> str:
    try:
        return Writer(plain=form is Form.TEXT).convert_soup(part)
    except (RecursionError, ValueError):
        # Nobody writes markup of a thousand levels, or <h1> with a thousand digits; its words can
        # be had all the same.
        return part.get_text("\n", strip=True)
