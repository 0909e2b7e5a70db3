"""Holds a fresh secret between the POST that made it and the page that shows it, once."""

from collections import OrderedDict

MAX_HELD = 20
"""The oldest is forgotten; each belongs to a form that somebody has just sent."""


class ShownOnce:
    """Secrets by the session and the webhook that they are for."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], str] = OrderedDict()

    def put(self, session: str, webhook_id: str, secret: str) -> None:
        """Hold a secret until it is taken."""
        self._held[session, webhook_id] = secret
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)

    def take(self, session: str, webhook_id: str) -> str | None:
        """Return a secret that waits for this page, and hold it no longer."""
        return self._held.pop((session, webhook_id), None)
