"""What hosts want of programs: their robots.txt (RFC 9309), kept for a while."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from protego import Protego

from web_pages.address import origin_of
from web_pages.errors import FetchError

AGENT = "claude-runner-fetch"
"""The name under which a robots.txt may speak to us."""
KEPT_S = 3600.0
"""RFC 9309, section 2.4, wants no more than a day."""
MOST_KEPT = 100
CLIENT_ERROR, SERVER_ERROR = 400, 500
FORBIDS_ALL = "User-agent: *\nDisallow: /\n"


class Robots:
    """The rules of the hosts that were asked last."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._rules: OrderedDict[str, tuple[float, int, Protego]] = OrderedDict()

    def address(self, url: str) -> str:
        """Return where the rules for an address lie."""
        return f"{origin_of(url)}/robots.txt"

    def knows(self, url: str) -> bool:
        """Return whether the rules for an address were read not long ago."""
        kept = self._rules.get(origin_of(url))
        return kept is not None and self._clock() - kept[0] < KEPT_S

    def learn(self, url: str, status: int, content: bytes) -> None:
        """Keep the rules of an address's host, as its answer to `address` says."""
        text = content.decode("utf-8", "replace")
        if status >= SERVER_ERROR:
            # RFC 9309, section 2.3.1.4: a host that is out of order is left alone.
            text = FORBIDS_ALL
        elif status >= CLIENT_ERROR:
            text = ""
        self._rules[origin_of(url)] = (self._clock(), status, Protego.parse(text))
        self._rules.move_to_end(origin_of(url))
        while len(self._rules) > MOST_KEPT:
            self._rules.popitem(last=False)

    def check(self, url: str) -> None:
        """Raise FetchError when the rules forbid us an address; they are known."""
        _, status, rules = self._rules[origin_of(url)]
        if rules.can_fetch(url, AGENT):
            return
        where = self.address(url)
        if status >= SERVER_ERROR:
            del self._rules[origin_of(url)]
            raise FetchError(
                f"{where} answered {status}, so nobody knows what programs may read there; "
                "try later."
            )
        raise FetchError(f"{url} is closed to programs by {where}.")
