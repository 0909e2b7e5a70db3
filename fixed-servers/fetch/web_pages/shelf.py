"""Pages that were fetched not long ago, so that reading on asks no host again."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from web_pages.page import Page

KEPT_S = 300.0
MOST_KEPT = 8
"""Each holds a few times MAX_BYTES at most, in a server of 512 MiB."""


class Shelf:
    """The last pages, by the address they were asked for."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pages: OrderedDict[str, tuple[float, Page]] = OrderedDict()

    def find(self, url: str) -> Page | None:
        """Return a page that is not too old."""
        kept = self._pages.get(url)
        return kept[1] if kept and self._clock() - kept[0] < KEPT_S else None

    def put(self, url: str, page: Page) -> None:
        """Keep a page in place of the oldest one."""
        self._pages[url] = (self._clock(), page)
        self._pages.move_to_end(url)
        while len(self._pages) > MOST_KEPT:
            self._pages.popitem(last=False)
