"""Codes and tokens: made for what the owner approved, exchanged, refreshed, ended.

A refresh token is replaced with each use. The old one works for GRACE_S more, because hosted
clients repeat a refresh whose answer they lost and run several backends; after that, its use means
that somebody has a copy, and everything of its grant ends (OAuth 2.1 section 4.3.1).
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.auth.access_tokens import PREFIX, AccessTokens, Fingerprints
from gateway.domain.ids import new_id
from gateway.domain.oauth import AccessToken, Client, Code, Grant, RefreshToken
from gateway.domain.token import Scope
from gateway.oauth.authorization import Asked, Asker
from gateway.oauth.errors import invalid_grant, invalid_target
from gateway.store.oauth_grants import OAuthGrantTable

CODE_LIFE_S = 60
ACCESS_LIFE_S = 24 * 3600
"""Long, because clients have been seen not to refresh; a grant that ends does so at once."""
REFRESH_LIFE_S = 90 * 24 * 3600
GRACE_S = 60
MAX_CODES = 30
"""Waiting or used; each is a click of the owner's, of which clients may cause many."""
MAX_TOKENS = 200
"""Of each kind and grant; one refresh an hour for a week."""
KEPT_S = 24 * 3600
"""How long after its end a code or token is still recognised as used."""
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class Issued:
    """New tokens, whose values exist only here."""

    grant_id: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    scopes: frozenset[Scope]


class Grants:
    """Makes and takes codes and tokens."""

    def __init__(
        self,
        table: OAuthGrantTable,
        fingerprints: Fingerprints,
        access_tokens: AccessTokens,
        now_ms: Callable[[], int],
    ) -> None:
        self._table = table
        self._fingerprints = fingerprints
        self._access_tokens = access_tokens
        self._now_ms = now_ms

    async def approve(self, asker: Asker, asked: Asked, scopes: frozenset[Scope]) -> str:
        """Store what the owner approved and return the code for it. Raises StoreError."""
        now, value = self._now_ms(), f"crc_{secrets.token_urlsafe(32)}"
        grant = Grant(new_id("grant"), asker.client.id, scopes, asked.resource, now)
        code = Code(grant.id, asker.redirect_uri, asked.challenge, now, now + CODE_LIFE_S * 1000)
        await self._table.add(grant)
        await self._table.add_code(code, self._fingerprints.of(value))
        await self._table.keep_newest_codes(MAX_CODES)
        return value

    async def exchange(
        self, client: Client, value: str, *, uri: str, verifier: str, resource: str | None
    ) -> Issued:
        """Return tokens for a code. Raises OAuthError and StoreError."""
        now, hashed = self._now_ms(), self._fingerprints.of(value)
        code = await self._table.code(hashed)
        grant = None if code is None else await self._table.get(code.grant_id)
        if code is None or grant is None or grant.client_id != client.id:
            raise invalid_grant("The code is unknown.")
        if code.used_at is not None:
            await self._revoke(grant.id)
            raise invalid_grant("The code was used before; what it gave has ended.")
        if code.expires_at <= now or code.redirect_uri != uri or not _fits(verifier, code):
            raise invalid_grant("The code is too old or belongs to another request.")
        _check_resource(grant, resource)
        if not await self._table.use_code(hashed, now):
            await self._revoke(grant.id)
            raise invalid_grant("The code was used before; what it gave has ended.")
        return await self._issue(grant, grant.scopes)

    async def refresh(
        self, client: Client, value: str, *, scopes: frozenset[Scope], resource: str | None
    ) -> Issued:
        """Return new tokens for a refresh token; no `scopes` keeps them. Raises OAuthError."""
        now, hashed = self._now_ms(), self._fingerprints.of(value)
        token = await self._table.refresh(hashed)
        grant = None if token is None else await self._table.get(token.grant_id)
        if token is None or grant is None or grant.client_id != client.id:
            raise invalid_grant("The refresh token is unknown or has ended.")
        if token.expires_at <= now:
            raise invalid_grant("The refresh token is too old.")
        _check_resource(grant, resource)
        if token.rotated_at is not None and token.rotated_at + GRACE_S * 1000 <= now:
            await self._revoke(grant.id)
            raise invalid_grant("The refresh token was used before; all of its kind have ended.")
        await self._table.rotate(hashed, now)
        return await self._issue(grant, scopes & grant.scopes or grant.scopes)

    async def revoke(self, client: Client, value: str) -> str | None:
        """End the grant of one of the client's tokens and return its id. Raises StoreError."""
        grant_id = await self._table.grant_of_token(self._fingerprints.of(value))
        grant = None if grant_id is None else await self._table.get(grant_id)
        if grant is None or grant.client_id != client.id:
            return None
        await self._revoke(grant.id)
        return grant.id

    async def prune(self) -> None:
        """Forget what ended a while ago. Raises StoreError."""
        before = self._now_ms() - KEPT_S * 1000
        await self._table.prune(expired_before=before, ended_before=before)

    async def _revoke(self, grant_id: str) -> None:
        await self._table.revoke(grant_id, self._now_ms())
        self._access_tokens.ended((grant_id,))

    async def _issue(self, grant: Grant, scopes: frozenset[Scope]) -> Issued:
        now = self._now_ms()
        issued = Issued(
            grant.id,
            PREFIX + secrets.token_urlsafe(32),
            f"crf_{secrets.token_urlsafe(32)}",
            scopes,
        )
        access = AccessToken(grant.id, scopes, now, now + ACCESS_LIFE_S * 1000)
        refresh = RefreshToken(grant.id, now, now + REFRESH_LIFE_S * 1000)
        await self._table.add_access(access, self._fingerprints.of(issued.access))
        await self._table.add_refresh(refresh, self._fingerprints.of(issued.refresh))
        await self._table.keep_newest_tokens(grant.id, MAX_TOKENS)
        await self._access_tokens.issued(issued.access)
        return issued


def _fits(verifier: str, code: Code) -> bool:
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return hmac.compare_digest(challenge, code.challenge)


def _check_resource(grant: Grant, resource: str | None) -> None:
    """Raise OAuthError when a request names another endpoint than was approved (RFC 8707)."""
    if resource is not None and resource != grant.resource:
        raise invalid_target()
