"""Access tokens of OAuth clients as the guard sees them: by keyed hash, known ones in memory."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from functools import partial

from gateway.auth.endings import Endings
from gateway.auth.known_tokens import KnownTokens
from gateway.store.oauth_grants import Access, OAuthGrantTable

PREFIX = "cra_"
"""Tells an access token from machine tokens, for people and secret scanners."""


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
        self._known = KnownTokens[Access](lambda access: access.token.grant_id)
        self._used: set[str] = set()

    async def find(self, value: str, *, ask_store: bool = True) -> Access | None:
        """Return what an access token stands for, or None. Raises StoreError."""
        hashed = self._fingerprints.of(value)
        access = self._known.get(hashed)
        if access is None and ask_store:
            access = await self._look_up(hashed)
        if access is None:
            return None
        if access.token.expires_at <= self._now_ms():
            self._known.forget(hashed)
            return None
        self._used.add(access.token.grant_id)
        return access

    async def issued(self, value: str) -> None:
        """Know an access token before its first use. Raises StoreError."""
        await self._look_up(self._fingerprints.of(value))

    def ended(self, grant_ids: Iterable[str]) -> None:
        """Know the tokens of these grants no more, and end what came by them."""
        grants = frozenset(grant_ids)
        self._known.end(grants)
        for grant_id in grants:
            self._endings.end(grant_id)

    def client_ended(self, client_id: str, grant_ids: Iterable[str]) -> None:
        """Do so for a client that is gone from the store, also by grants that came meanwhile."""
        known = (each for each in self._known.all() if each.client_id == client_id)
        self.ended({*grant_ids, *(each.token.grant_id for each in known)})

    async def note_uses(self) -> None:
        """Write down which grants were used since the last time. Raises StoreError."""
        used = frozenset(self._used)
        await self._grants.touch(used, self._now_ms())
        self._used -= used

    async def _look_up(self, hashed: str) -> Access | None:
        ask = partial(self._grants.access, hashed, self._now_ms())
        access = await self._known.look_up(hashed, ask)
        if access is not None:
            self._endings.note(access.token.grant_id, access.token.expires_at)
        return access
