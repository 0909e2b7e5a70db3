"""One log line for each OAuth request, under an id that its answer carries too; never a secret.

Hosted clients fail out of sight: these lines are what there is to find out why.
"""

import logging
import secrets
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

HEADER = "X-Request-Id"
MAX_CHARACTERS = 200
"""Of a fact; others choose what stands in it."""


@dataclass(slots=True)
class Entry:
    """What is known of a request so far."""

    method: str
    path: str
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    facts: dict[str, str] = field(default_factory=dict[str, str])

    def note(self, **facts: str | None) -> None:
        """Add what is no secret: ids, kinds, addresses."""
        self.facts |= {name: value for name, value in facts.items() if value}

    def write(self, status: int) -> None:
        """Log the request with its outcome."""
        facts = "".join(f" {name}={_shown(value)}" for name, value in self.facts.items())
        log.info("%s %s %s%s -> %d", self.id, self.method, _shown(self.path), facts, status)


def _shown(value: str) -> str:
    cut = value[:MAX_CHARACTERS]
    plain = cut.isascii() and cut.isprintable() and " " not in cut
    return cut if plain else ascii(cut)
