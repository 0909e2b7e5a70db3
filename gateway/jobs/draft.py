"""The text that the model is writing, before its message is there. Pure.

Readers count characters, also over texts that were begun and given up, so that a number never means
two things between two messages.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_DRAFT_CHARS = 64 * 1024
"""Of one text; what is beyond comes with its message."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What a reader lacks."""

    text: str
    end: int
    """How many characters it has then."""
    restart: bool
    """It begins the text anew."""


class Draft:
    """One text at a time, and the beginning of the one behind a message that is not stored yet."""

    def __init__(self, settled: Callable[[str], str]) -> None:
        """`settled` returns the beginning, without secrets, that no more text can change."""
        self._settled = settled
        self._raw: str = ""
        self._shown: str = ""
        self._looked_at = 0
        """Length of the raw text when it was last looked at."""
        self._base = 0
        """Characters that were shown of texts that were given up."""
        self._next: str = ""
        self._closed_by: deque[int] = deque()

    def begin(self) -> None:
        """Another text begins; one that no message has brought is given up."""
        if self._closed_by:
            self._next = ""
        elif self._raw:
            self._begin(self._base + len(self._shown))

    def write(self, text: str) -> None:
        """Take more of the text."""
        if self._closed_by:
            self._next = (self._next + text)[:MAX_DRAFT_CHARS]
        else:
            self._raw = (self._raw + text)[:MAX_DRAFT_CHARS]

    def close(self, message: int) -> None:
        """The text is in the message of this number, which readers do not have yet."""
        self._closed_by.append(message)
        self._next = ""

    def published(self, count: int) -> None:
        """Readers have the first `count` messages, or can have them."""
        if not self._closed_by or self._closed_by[0] >= count:
            return
        while self._closed_by and self._closed_by[0] < count:
            self._closed_by.popleft()
        self._begin(0)
        if not self._closed_by:
            self._raw, self._next = self._next, ""

    def after(self, chars: int) -> Piece | None:
        """Return what a reader lacks who has `chars` characters; None when that is nothing."""
        shown = self._show()
        if not shown:
            return None
        restart = self._base > 0 and chars <= self._base
        text = shown if restart else shown[chars - self._base :]
        return Piece(text, self._base + len(shown), restart) if text else None

    def _begin(self, base: int) -> None:
        self._base = base
        self._raw = self._shown = ""
        self._looked_at = 0

    def _show(self) -> str:
        if len(self._raw) != self._looked_at:
            raw, shown = self._raw, self._settled(self._raw)
            if not shown.startswith(self._shown):
                self._begin(self._base + len(self._shown))
            self._raw, self._shown, self._looked_at = raw, shown, len(raw)
        return self._shown
