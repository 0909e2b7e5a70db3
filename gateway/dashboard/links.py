"""One-time links: a key in an address that opens one session, kept in memory alone."""

import secrets
from collections.abc import Callable

from gateway.auth.run_tokens import token_hash

LINK_LIFE_S = 10 * 60.0
"""Long enough to reach a terminal and a browser, short enough to be useless in a log."""
MAX_LINKS = 20
"""Unused links that are kept; the oldest goes first."""


class Links:
    """Issues keys and takes each one once."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends: dict[str, float] = {}

    def issue(self) -> str:
        """Return a new key for ``/login?key=...``: single use, good for LINK_LIFE_S."""
        while len(self._ends) >= MAX_LINKS:
            del self._ends[next(iter(self._ends))]
        key = secrets.token_urlsafe(32)
        self._ends[token_hash(key)] = self._monotonic() + LINK_LIFE_S
        return key

    def spend(self, key: str) -> bool:
        """Take a key; False when it is unknown, used or old."""
        ends_at = self._ends.pop(token_hash(key), None)
        return ends_at is not None and ends_at > self._monotonic()
