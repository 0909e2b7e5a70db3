"""Access tokens of OAuth clients as the guard sees them: by keyed hash, known ones in memory."""

import hashlib
import hmac
from collections.abc import Callable, Iterable

from gateway.auth.endings import Endings
from gateway.domain.oauth import AccessToken
from gateway.store.oauth_grants import Access, OAuthGrantTable

PREFIX = "cra_"
"""Tells an access token from machine tokens, for people and secret scanners."""
MAX_KNOWN = 10_000
"""Tokens kept in memory; one that is not asked about any more stays there until this many are."""


class Fingerprints:
    """Hashes under which codes and tokens are kept; with another key none of them is found."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, value: str) -> str:
        """Return the keyed SHA-256 of a value in hexadecimal."""
        return hmac.new(
            self._key, value.encode("utf-8", "surrogateescape"), hashlib.sha256
        ).hexdigest()


class AccessTokens:
    """Knows valid access tokens by their hash; told when a grant ends."""

    def __init__(
        self,
        grants: OAuthGrantTable,
        fingerprints: Fingerprints,
        now_ms: Callable[[], int],
        endings: Endings,
    ) -> None:
        self._grants = grants
        self._fingerprints = fingerprints
        self._now_ms = now_ms
        self._endings = endings
        self._known: dict[str, Access] = {}
        self._used: set[str] = set()

    async def find(self, value: str, *, ask_store: bool = True) -> Access | None:
        """Return what an access token stands for, or None. Raises StoreError."""
        hashed = self._fingerprints.of(value)
        access = self._known.get(hashed)
        if access is None and not ask_store:
            return None
        if access is None:
            asked_in = self._known
            access = await self._grants.access(hashed, self._now_ms())
            if access is None:
                return None
            if len(asked_in) >= MAX_KNOWN:
                asked_in.clear()
            # Goes nowhere if a grant ended meanwhile: it may have been this one.
            asked_in[hashed] = access
            self.issued(access.token)
        if access.token.expires_at <= self._now_ms():
            self._known.pop(hashed, None)
            return None
        self._used.add(access.token.grant_id)
        return access

    def issued(self, token: AccessToken) -> None:
        """Take note that a grant has this token, whether or not it has been used."""
        self._endings.note(token.grant_id, token.expires_at)

    def ended(self, grant_ids: Iterable[str]) -> None:
        """Look tokens up again, and end what these grants have open."""
        self._known = {}
        for grant_id in grant_ids:
            self._endings.end(grant_id)

    async def note_uses(self) -> None:
        """Write down which grants were used since the last time. Raises StoreError."""
        used = frozenset(self._used)
        await self._grants.touch(used, self._now_ms())
        self._used -= used
