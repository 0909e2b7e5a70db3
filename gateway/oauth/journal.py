"""One log line for each OAuth request, under an id that its answer carries too; never a secret.

Hosted clients fail out of sight: these lines are what there is to find out why.
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

log = logging.getLogger(__name__)

HEADER = "X-Request-Id"
MAX_CHARACTERS = 200
"""Of a fact; others choose what stands in it."""
MAX_FAILURES = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was answered with an error."""

    id: str
    at: int
    """Milliseconds, UTC."""
    method: str
    path: str
    status: int
    facts: Mapping[str, str]


class Journal:
    """Makes entries, and remembers the newest failures for who looks for what is wrong."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.on_written: Callable[[Entry, int], None] | None = None
        """Is told of each request with its status; neither waits nor raises."""
        self._failures: deque[Failure] = deque(maxlen=MAX_FAILURES)

    def entry(self, method: str, path: str) -> "Entry":
        """Begin the line of a request."""
        return Entry(method, path, self._note)

    def failures(self) -> tuple[Failure, ...]:
        """Return the failures that are remembered, the newest last."""
        return tuple(self._failures)

    def _note(self, entry: "Entry", status: int) -> None:
        if self.on_written is not None:
            self.on_written(entry, status)
        if status < HTTPStatus.BAD_REQUEST:
            return
        facts = {name: value[:MAX_CHARACTERS] for name, value in entry.facts.items()}
        path = entry.path[:MAX_CHARACTERS]
        self._failures.append(Failure(entry.id, self._now_ms(), entry.method, path, status, facts))


@dataclass(slots=True)
class Entry:
    """What is known of a request so far."""

    method: str
    path: str
    written: Callable[["Entry", int], None]
    """Told when the line is written, with the status."""
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    facts: dict[str, str] = field(default_factory=dict[str, str])

    def note(self, **facts: str | None) -> None:
        """Add what is no secret: ids, kinds, addresses."""
        self.facts |= {name: value for name, value in facts.items() if value}

    def write(self, status: int) -> None:
        """Log the request with its outcome."""
        self.written(self, status)
        facts = "".join(f" {name}={_shown(value)}" for name, value in self.facts.items())
        log.info("%s %s %s%s -> %d", self.id, self.method, _shown(self.path), facts, status)


def _shown(value: str) -> str:
    cut = value[:MAX_CHARACTERS]
    plain = cut.isascii() and cut.isprintable() and " " not in cut
    return cut if plain else ascii(cut)
