"""The owner's password: kept as an argon2id hash, checked off the loop, two at once.

Source of the costs: OWASP's Password Storage Cheat Sheet, the least it names for argon2id. A
check takes some 30 ms of one core and 19 MiB.
"""

import hmac
import unicodedata

import anyio
from anyio import to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.secret import Secret

HASHED = "$argon2id$"
"""What a password begins with that has been hashed already."""
MAX_AT_ONCE = 2
MAX_WAITING = 16
"""Checks that wait for their turn; a third of a second on one core."""
MAX_WAITING_KNOWN = 32
"""Of browsers in which the owner has logged in before: there is room for them in a flood."""


def new_hasher() -> PasswordHasher:
    """Return the hasher with our costs."""
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class TooManyChecks(Exception):
    """More people log in at once than is checked; one of them should try again soon."""


class OwnersPassword:
    """Says whether a user name and a password are the owner's."""

    def __init__(
        self, username: str, password: Secret, hasher: PasswordHasher | None = None
    ) -> None:
        self._username = username
        self._hasher = hasher or new_hasher()
        clear = password.reveal()
        self._hash = clear if clear.startswith(HASHED) else hash_password(clear, self._hasher)
        self._turns = anyio.CapacityLimiter(MAX_AT_ONCE)
        self._here = 0

    async def matches(self, username: str, password: str, *, known: bool = False) -> bool:
        """Return whether both are right; a wrong name costs the same hash as a wrong password.

        Raises TooManyChecks.
        """
        if self._here >= MAX_AT_ONCE + (MAX_WAITING_KNOWN if known else MAX_WAITING):
            raise TooManyChecks
        self._here += 1
        try:
            right = await to_thread.run_sync(self._verify, _plain(password), limiter=self._turns)
        finally:
            self._here -= 1
        named = hmac.compare_digest(_plain(username), _plain(self._username))
        return right and named

    def _verify(self, password: bytes) -> bool:
        try:
            return self._hasher.verify(self._hash, password)
        except (VerificationError, InvalidHashError):
            return False


def hash_password(password: str, hasher: PasswordHasher) -> str:
    """Return what DASHBOARD_PASSWORD may hold instead of the password."""
    return hasher.hash(_plain(password))


def _plain(text: str) -> bytes:
    # Keyboards differ in how they compose an accented letter (RFC 8265, section 4.2.2).
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")
