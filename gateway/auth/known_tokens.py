"""Valid tokens in memory, by their hash; what they stand for is looked up once."""

from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_KNOWN = 10_000
"""The token that became known first goes first; it is looked up again when it comes."""


class KnownTokens(Generic[T]):
    """Knows what tokens stand for; told when somebody's tokens end."""

    def __init__(self, owner_of: Callable[[T], str]) -> None:
        """`owner_of` returns the id by which a token ends."""
        self._owner_of = owner_of
        self._known: dict[str, T] = {}
        self._endings = 0

    def get(self, hashed: str) -> T | None:
        """Return what a token stands for, None when it is not known (yet)."""
        return self._known.get(hashed)

    def all(self) -> tuple[T, ...]:
        """Return what is known."""
        return tuple(self._known.values())

    async def look_up(self, hashed: str, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what the store says of a token, and know it from now on. Raises what `ask` does.

        The store is asked again when a token ended meanwhile: it may have been this one.
        """
        found, asked_at = None, -1
        while asked_at != self._endings:
            asked_at = self._endings
            found = await ask()
        if found is not None:
            if hashed not in self._known and len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[hashed] = found
        return found

    def forget(self, hashed: str) -> None:
        """Drop one token."""
        self._known.pop(hashed, None)

    def end(self, owners: Collection[str]) -> None:
        """Drop the tokens of these, and nobody else's."""
        self._endings += 1
        for hashed in [key for key, each in self._known.items() if self._owner_of(each) in owners]:
            del self._known[hashed]
