"""Who may see the pages: one-time links that open browser sessions, both kept in memory.

Nothing here survives a restart, so an old link or cookie is worth nothing after one.
"""

import hashlib
import secrets
from collections.abc import Callable

LINK_LIFE_S = 10 * 60.0
"""Long enough to reach a terminal and a browser, short enough to be useless in a log."""
SESSION_LIFE_S = 12 * 3600.0
MAX_LINKS = 20
"""Unused links that are kept; the oldest goes first."""
MAX_SESSIONS = 200


class Sessions:
    """Issues links, turns each into one session once, and says which sessions are open."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._links: dict[str, float] = {}
        self._sessions: dict[str, float] = {}

    def issue_link_key(self) -> str:
        """Return a new key for ``/login?key=...``: single use, good for LINK_LIFE_S."""
        key = secrets.token_urlsafe(32)
        _add(self._links, key, self._monotonic() + LINK_LIFE_S, MAX_LINKS)
        return key

    def open(self, link_key: str) -> str | None:
        """Return a new session id and spend the key; None when the key is unknown, used or old."""
        expires_at = self._links.pop(_digest(link_key), None)
        if expires_at is None or expires_at <= self._monotonic():
            return None
        session_id = secrets.token_urlsafe(32)
        _add(self._sessions, session_id, self._monotonic() + SESSION_LIFE_S, MAX_SESSIONS)
        return session_id

    def is_open(self, session_id: str) -> bool:
        """True while the session exists and is younger than SESSION_LIFE_S."""
        expires_at = self._sessions.get(_digest(session_id))
        return expires_at is not None and expires_at > self._monotonic()

    def close(self, session_id: str) -> None:
        """End the session everywhere at once."""
        self._sessions.pop(_digest(session_id), None)


def _add(table: dict[str, float], value: str, expires_at: float, limit: int) -> None:
    while len(table) >= limit:
        del table[next(iter(table))]
    table[_digest(value)] = expires_at


def _digest(value: str) -> str:
    # Looking up a digest tells nothing by its timing about the secret it was made from.
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
