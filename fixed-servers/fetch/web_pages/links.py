"""Where a page leads."""

from collections.abc import Iterator
from urllib.parse import urldefrag, urlsplit

from web_pages.page import Page

MAX_TEXT = 200


def links_of(page: Page, contains: str, limit: int, *, same_host: bool) -> dict[str, object]:
    """Return the links of a page, each address once. Raises FetchError: it has no markup."""
    wanted, host = contains.casefold(), urlsplit(page.url).hostname
    found: dict[str, str] = {}
    for url, text in _anchors(page):
        if same_host and urlsplit(url).hostname != host:
            continue
        if wanted in url.casefold() or wanted in text.casefold():
            found[url] = found.get(url) or text
    shown = [{"url": url, "text": text} for url, text in list(found.items())[:limit]]
    return {"url": page.url, "links": shown, "more": max(0, len(found) - limit)}


def _anchors(page: Page) -> Iterator[tuple[str, str]]:
    for anchor in page.soup().find_all("a", href=True):
        url = urldefrag(str(anchor["href"])).url
        if url != page.url:
            yield url, " ".join(anchor.get_text(" ").split())[:MAX_TEXT]
