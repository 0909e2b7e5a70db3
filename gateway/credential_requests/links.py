"""The open links: for one credential of one server, one use and half an hour each; in memory."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

PATH = "/credential"
"""Where the page is, with the id of a link behind it."""
LIFE_S = 30 * 60
"""Time to find the value in another window; a forgotten link is soon worth nothing."""
MAX_OPEN = 100
"""More at once than a person would open; the one asked for first makes room."""


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """Somebody wants a value for one credential of one server."""

    id: str = field(repr=False)
    """What the link holds; who has it still needs the owner's session."""
    server: str
    key: str
    asked_by: str
    ends_at: int
    """In integer milliseconds UTC."""


class Links:
    """Makes, finds and spends requests."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._open: dict[str, CredentialRequest] = {}

    def ask(self, server: str, key: str, *, asked_by: str) -> CredentialRequest:
        """Return a new request; an older one for the same credential ends."""
        now = self._now_ms()
        self._open = {
            each.id: each
            for each in self._open.values()
            if each.ends_at > now and (each.server, each.key) != (server, key)
        }
        while len(self._open) >= MAX_OPEN:
            del self._open[next(iter(self._open))]
        ends_at = now + LIFE_S * 1000
        made = CredentialRequest(secrets.token_urlsafe(32), server, key, asked_by, ends_at)
        self._open[made.id] = made
        return made

    def find(self, link: str) -> CredentialRequest | None:
        """Return the open request behind a link, or None."""
        found = self._open.get(link)
        return found if found is not None and found.ends_at > self._now_ms() else None

    def spend(self, link: str) -> None:
        """End a link."""
        self._open.pop(link, None)
