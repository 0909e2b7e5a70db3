"""Where a page leads."""

from collections.abc import Iterator
from urllib.parse import urldefrag, urlsplit

from web_pages.page import Page

MAX_TEXT = 200
MAX_ANSWER = 200_000
"""Characters of links in one answer, which ends with the link that goes beyond."""


def links_of(page: Page, contains: str, limit: int, *, same_host: bool) -> dict[str, object]:
    """Return the links of a page, each address once. Raises FetchError: it has no markup."""
    wanted, host = contains.casefold(), urlsplit(page.url).hostname
    found: dict[str, str] = {}
    for url, text in _anchors(page):
        if same_host and urlsplit(url).hostname != host:
            continue
        if wanted in url.casefold() or wanted in text.casefold():
            found[url] = found.get(url) or text
    shown: list[dict[str, str]] = []
    room = MAX_ANSWER
    for url, text in found.items():
        if len(shown) == limit or room <= 0:
            break
        shown.append({"url": url, "text": text})
        room -= len(url) + len(text)
    return {"url": page.url, "links": shown, "more": len(found) - len(shown)}


def _anchors(page: Page) -> Iterator[tuple[str, str]]:
    for anchor in page.soup().find_all("a", href=True):
        url = urldefrag(str(anchor["href"])).url
        if url != page.url:
            yield url, " ".join(anchor.get_text(" ").split())[:MAX_TEXT]
